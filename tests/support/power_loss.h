#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/train/files/file_system.h>

/// A disk in memory that knows what a power cut may leave of it. A sync of a file makes its bytes stay and
/// no name; a sync of a directory makes its names stay and no bytes. Of the changes of names since then, a
/// creation, a removal, and each half of a rename, any may be lost and any other kept. Paths start with '/'.
class PowerLossFiles : public handrail::train::FileSystem {
 public:
  /// What becomes of bytes that were written and not synced.
  enum class Tail { lost, kept, half, zeros };
  static constexpr Tail tails[] = {Tail::lost, Tail::kept, Tail::half, Tail::zeros};

  PowerLossFiles() : PowerLossFiles(std::make_shared<Node>(Node{.directory = true})) {}

  std::function<void()> after_change = [] {};  // called after every call that changed something
  bool ignores_file_sync = false, ignores_directory_sync = false;
  int failing_sync = 0;  // the n-th sync of a file, from 1, fails; for later ones of it its bytes count as written
  std::size_t open_files() const { return open_.size(); }
  /// How many changes of names were not synced.
  std::size_t unsynced_names() const { return pending().size(); }

  /// The disk as found after a power cut, when of the changes of names not synced, from old to new, those stay
  /// for which keep says so.
  std::unique_ptr<PowerLossFiles> after_cut(const std::vector<bool>& keep, Tail tail) const {
    std::size_t next = 0;
    std::map<std::uint64_t, bool> kept;
    for (const std::uint64_t number : pending()) kept[number] = keep.at(next++);
    return std::unique_ptr<PowerLossFiles>(new PowerLossFiles(survivor(*root_, kept, tail)));
  }

  /// Calls look at disks that a power cut now may leave: with all sets of changes when there are few, or else those
  /// that drop a suffix, all but one or one, and some at random.
  template <class Look>
  void after_cuts(handrail::Rng& rng, Look&& look) const {
    constexpr std::size_t few = 4, random = 12;
    const std::size_t n = pending().size();
    std::vector<std::vector<bool>> choices;
    const auto add = [&](auto&& keep) {
      std::vector<bool>& choice = choices.emplace_back(n);
      for (std::size_t i = 0; i < n; ++i) choice[i] = keep(i);
    };
    if (n <= few) {
      for (std::size_t set = 0; set < std::size_t{1} << n; ++set) add([&](std::size_t i) { return (set >> i) & 1; });
    } else {
      for (std::size_t k = 0; k <= n; ++k) add([&](std::size_t i) { return i < k; });
      for (std::size_t k = 0; k < n; ++k) add([&](std::size_t i) { return i != k; });
      for (std::size_t k = 0; k < n; ++k) add([&](std::size_t i) { return i == k; });
      for (std::size_t k = 0; k < random; ++k) add([&](std::size_t) { return rng.below(2) == 0; });
    }
    for (const auto& choice : choices)
      for (const Tail tail : tails) look(*after_cut(choice, tail));
  }

  int open(const char* path, int flags, mode_t) override {
    const auto [directory, name] = parent_of(path);
    if (!directory) return fails(ENOENT);
    NodePtr node = name.empty() ? directory : find(*directory, name);
    if (node && (flags & O_CREAT) && (flags & O_EXCL)) return fails(EEXIST);
    if (!node && !(flags & O_CREAT)) return fails(ENOENT);
    if (node && !node->directory && (flags & O_DIRECTORY)) return fails(ENOTDIR);
    if (node && node->directory && (flags & O_ACCMODE) != O_RDONLY) return fails(EISDIR);
    const bool made = !node;
    if (made) change(*directory, name, node = std::make_shared<Node>());
    open_[++last_file_] = {node, 0, (flags & O_APPEND) != 0};
    if (made) after_change();
    return last_file_;
  }
  int status(int file, struct stat& status) override {
    status = {};
    const Node& node = *open_.at(file).node;
    status.st_mode = node.directory ? S_IFDIR : S_IFREG;
    status.st_size = static_cast<off_t>(node.bytes.size());
    return 0;
  }
  ssize_t read(int file, void* bytes, std::size_t count) override {
    auto& [node, at, appends] = open_.at(file);
    count = std::min(count, node->bytes.size() - at);
    std::memcpy(bytes, node->bytes.data() + at, count);
    at += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(int file, const void* bytes, std::size_t count) override {
    auto& [node, at, appends] = open_.at(file);
    if (appends) at = node->bytes.size();
    node->bytes.replace(at, count, static_cast<const char*>(bytes), count);
    at += count;
    after_change();
    return static_cast<ssize_t>(count);
  }
  int sync(int file) override {
    Node& node = *open_.at(file).node;
    if (node.directory && !ignores_directory_sync) {
      node.synced_names = node.names;
      node.changes.clear();
    }
    if (!node.directory && --failing_sync == 0) {
      node.gave_up = true;
      return fails(EIO);
    }
    if (!node.directory && !node.gave_up && !ignores_file_sync) node.synced_bytes = node.bytes;
    after_change();
    return 0;
  }
  int close(int file) override {
    if (open_.at(file).node->locked_by == file) open_.at(file).node->locked_by = 0;
    open_.erase(file);
    return 0;
  }
  int truncate(int file, off_t length) override {
    open_.at(file).node->bytes.resize(static_cast<std::size_t>(length));
    after_change();
    return 0;
  }
  int rename(const char* from, const char* to) override {
    const auto [old_directory, old_name] = parent_of(from);
    const auto [new_directory, new_name] = parent_of(to);
    if (!old_directory || !new_directory || !find(*old_directory, old_name)) return fails(ENOENT);
    change(*new_directory, new_name, find(*old_directory, old_name));
    change(*old_directory, old_name, nullptr);
    after_change();
    return 0;
  }
  int unlink(const char* path) override {
    const auto [directory, name] = parent_of(path);
    if (!directory || !find(*directory, name)) return fails(ENOENT);
    change(*directory, name, nullptr);
    after_change();
    return 0;
  }
  int mkdir(const char* path, mode_t) override {
    const auto [directory, name] = parent_of(path);
    if (!directory) return fails(ENOENT);
    if (name.empty() || find(*directory, name)) return fails(EEXIST);
    change(*directory, name, std::make_shared<Node>(Node{.directory = true}));
    after_change();
    return 0;
  }
  int lock(int file) override {
    int& holder = open_.at(file).node->locked_by;
    if (holder != 0 && holder != file) return fails(EWOULDBLOCK);
    holder = file;
    return 0;
  }
  int list(const char* path, std::vector<std::string>& names) override {
    const auto [directory, name] = parent_of(path);
    const NodePtr node = !directory || name.empty() ? directory : find(*directory, name);
    if (!node) return fails(ENOENT);
    for (const auto& [entry, of] : node->names) names.push_back(entry);
    return 0;
  }

 private:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  using Names = std::map<std::string, NodePtr, std::less<>>;
  struct Change {
    std::uint64_t number;
    std::string name;
    NodePtr node;  // null: no file has the name any more
  };
  struct Node {
    bool directory = false;
    std::string bytes = {}, synced_bytes = {};
    Names names = {}, synced_names = {};
    std::vector<Change> changes = {};  // of names, not synced
    int locked_by = 0;
    bool gave_up = false;  // writing its bytes, when a sync failed
  };
  struct Open {
    NodePtr node;
    std::size_t at;
    bool appends;
  };

  explicit PowerLossFiles(NodePtr root) : root_(std::move(root)) {}

  static int fails(int error) {
    errno = error;
    return -1;
  }
  static NodePtr find(const Node& directory, std::string_view name) {
    const auto found = directory.names.find(name);
    return found == directory.names.end() ? nullptr : found->second;
  }
  static void set(Names& names, const std::string& name, const NodePtr& node) {
    if (node)
      names[name] = node;
    else
      names.erase(name);
  }
  void change(Node& directory, const std::string& name, const NodePtr& node) {
    set(directory.names, name, node);
    directory.changes.push_back({changes_++, name, node});
  }
  // The directory of a path, null when there is none, and the name in it, which the root does not have.
  std::pair<NodePtr, std::string> parent_of(std::string_view path) const {
    NodePtr directory = root_;
    std::string name;
    while (!path.empty()) {
      const std::string part(path.substr(0, path.find('/')));
      path.remove_prefix(std::min(path.size(), part.size() + 1));
      if (part.empty()) continue;
      if (!name.empty()) directory = find(*directory, name);
      if (!directory || !directory->directory) return {};
      name = part;
    }
    return {directory, name};
  }
  // The numbers of all changes that a cut may undo.
  std::vector<std::uint64_t> pending() const {
    std::vector<std::uint64_t> numbers;
    const auto visit = [&](const auto& self, const Node& node) -> void {
      for (const Change& change : node.changes) numbers.push_back(change.number);
      for (const auto& [name, child] : node.names) self(self, *child);
    };
    visit(visit, *root_);
    std::ranges::sort(numbers);
    return numbers;
  }
  static NodePtr survivor(const Node& node, const std::map<std::uint64_t, bool>& kept, Tail tail) {
    auto left = std::make_shared<Node>(Node{.directory = node.directory});
    Names names = node.synced_names;
    for (const Change& change : node.changes)
      if (kept.at(change.number)) set(names, change.name, change.node);
    for (const auto& [name, child] : names) left->names[name] = survivor(*child, kept, tail);
    left->synced_names = left->names;

    left->bytes = tail == Tail::lost ? node.synced_bytes : node.bytes;
    const std::size_t same =
        static_cast<std::size_t>(std::ranges::mismatch(node.bytes, node.synced_bytes).in1 - node.bytes.begin());
    if (tail == Tail::half) left->bytes.resize(same + (node.bytes.size() - same) / 2);
    if (tail == Tail::zeros)
      std::fill(left->bytes.begin() + static_cast<std::ptrdiff_t>(same), left->bytes.end(), '\0');
    left->synced_bytes = left->bytes;
    return left;
  }

  NodePtr root_;
  std::map<int, Open> open_;
  int last_file_ = 2;
  std::uint64_t changes_ = 0;
};
