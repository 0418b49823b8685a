#pragma once

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/power_loss.h"
#include "torture/run_directory.h"

namespace world {

namespace fs = std::filesystem;

/// What PowerLossFiles knows of the directory, and which of its files the open ones are.
struct Disk {
  struct File {
    std::string path;
    int copy;  // the descriptor in `files`; -1 outside of the directory
  };

  explicit Disk(fs::path directory) : root(std::move(directory)) {
    fs::path above = "/";
    for (const auto& part : root.relative_path()) files.mkdir((above /= part).c_str(), 0700);
    take(root);
    sync("/");
  }

  // Copies a directory as it is on the real disk.
  void take(const fs::path& directory) {
    for (const auto& entry : fs::directory_iterator(directory)) {
      const char* path = entry.path().c_str();
      if (entry.is_directory()) {
        files.mkdir(path, 0700);
        take(entry.path());
      } else {
        const handrail::train::OpenFile copy(files, files.open(path, O_WRONLY | O_CREAT, 0600));
        const std::string bytes = bytes_of(entry.path());
        files.write(copy.get(), bytes.data(), bytes.size());
        files.sync(copy.get());
      }
    }
  }
  // Syncs a directory and those below it.
  void sync(const fs::path& directory) {
    const handrail::train::OpenFile copy(files, files.open(directory.c_str(), O_RDONLY | O_DIRECTORY, 0));
    files.sync(copy.get());
    std::vector<std::string> names;
    files.list(directory.c_str(), names);
    for (const std::string& name : names)
      if (is_directory(files, directory / name)) sync(directory / name);
  }
  static bool is_directory(PowerLossFiles& disk, const fs::path& path) {
    const handrail::train::OpenFile opened(disk, disk.open(path.c_str(), O_RDONLY | O_DIRECTORY, 0));
    return opened.get() >= 0;
  }

  // Writes a directory of that disk to the real one.
  static void put(PowerLossFiles& disk, const fs::path& directory) {
    std::vector<std::string> names;
    disk.list(directory.c_str(), names);
    for (const std::string& name : names) {
      const fs::path path = directory / name;
      if (is_directory(disk, path)) {
        fs::create_directory(path);
        put(disk, path);
      } else {
        const handrail::train::FileStart whole = handrail::train::read_file(disk, path, "a power cut");
        std::ofstream(path, std::ios::binary) << whole.bytes;
      }
    }
  }

  bool has(std::string_view path) const { return path.starts_with(root.native()); }
  std::string path_of(int directory, const char* name) const {
    const auto above = opened.find(directory);
    if (name[0] == '/' || above == opened.end()) return name;
    return std::string_view(name) == "." ? above->second.path : above->second.path + '/' + name;
  }
  int copy_of(int file) const {
    const auto found = opened.find(file);
    return found == opened.end() ? -1 : found->second.copy;
  }

  fs::path root;
  PowerLossFiles files;
  std::map<int, File> opened;
};

}  // namespace world
