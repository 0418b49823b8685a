#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

#include <handrail/core/error.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/checkpoints/internal/retention.h>

#include <support/check_throws.h>
#include <support/failing_files.h>
#include <support/files.h>
#include <support/training_state.h>

namespace {

using namespace handrail;
using namespace handrail::train;

std::vector<std::int64_t> numbers_in(const std::filesystem::path& directory) {
  std::vector<std::int64_t> numbers;
  for (const CheckpointFile& file : list_checkpoints(directory)) numbers.push_back(file.sequence);
  return numbers;
}
using Numbers = std::vector<std::int64_t>;

// Flips a bit in the middle, where there are sections, or in the header.
void damage(const std::filesystem::path& path, bool header = false) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto at = header ? std::streamoff{20} : static_cast<std::streamoff>(std::filesystem::file_size(path) - 9);
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(byte ^ 4));
  REQUIRE(file.good());
}

// Forks a child that does what `work` does, and returns its exit status.
template <class Work>
int in_child(Work&& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("a store numbers checkpoints on and keeps the last ones, the best and the one resumed from") {
  const TempDir dir;
  const auto run = dir.path() / "new" / "run";
  {
    CheckpointStore store(run, 2);
    for (std::int64_t step = 1; step <= 6; ++step) {
      const auto path = store.save(state_at(step), step == 2);
      CHECK(path == run / checkpoint_name(step));
      CHECK(load_checkpoint(path).progress.step == step);
      CHECK(store.rotation_problem().empty());
    }
  }
  CHECK(numbers_in(run) == Numbers{2, 5, 6});
  // Another process has nothing but the files to know it from.
  CheckpointStore store(run, 2);
  store.keep(5);
  for (std::int64_t step = 7; step <= 9; ++step) store.save(state_at(step), false);
  CHECK(numbers_in(run) == Numbers{2, 5, 8, 9});
  store.save(state_at(10), true);
  store.save(state_at(11), false);
  store.save(state_at(12), false);
  CHECK(numbers_in(run) == Numbers{5, 10, 11, 12});
}

TEST_CASE("the newest checkpoint that can be loaded is loaded, and those skipped are listed") {
  const TempDir dir;
  CHECK_FALSE(CheckpointStore::load_newest(dir.path()).has_value());
  CheckpointStore store(dir.path(), 5);
  for (std::int64_t step = 1; step <= 4; ++step) store.save(state_at(step), false);
  damage(dir.path() / checkpoint_name(3));
  std::filesystem::resize_file(dir.path() / checkpoint_name(4), 50);
  const auto loaded = CheckpointStore::load_newest(dir.path());
  REQUIRE(loaded.has_value());
  CHECK(loaded->sequence == 2);
  CHECK(loaded->path == dir.path() / checkpoint_name(2));
  CHECK(loaded->state.progress.step == 2);
  REQUIRE(loaded->skipped.size() == 2);
  CHECK(loaded->skipped[0].find("checkpoint-000004.hrc': the file is damaged: it is truncated") != std::string::npos);
  CHECK(loaded->skipped[1].find("checkpoint-000003.hrc': the file is damaged: the checksum") != std::string::npos);
  // Nothing is saved over a damaged one.
  CHECK(store.save(state_at(5), false) == dir.path() / checkpoint_name(5));
}

TEST_CASE("a checkpoint that cannot be read once is read again; after two failures the one before it is loaded") {
  const TempDir dir;
  CheckpointStore store(dir.path(), 5);
  for (std::int64_t step = 1; step <= 2; ++step) store.save(state_at(step), false);
  bool failed = true;
  for (int nth = 2; failed; ++nth) {  // the first call lists the directory
    FailingFiles files(nth, false, EIO);
    const auto loaded = CheckpointStore::load_newest(dir.path(), files);
    failed = files.failed();
    CAPTURE(files.first_failed());
    REQUIRE(loaded.has_value());
    CHECK(loaded->sequence == 2);
    CHECK(loaded->skipped.empty());
  }
  FailingFiles files(2, true, EIO);
  files.most_failures = 2;
  const auto loaded = CheckpointStore::load_newest(dir.path(), files);
  REQUIRE(loaded.has_value());
  CHECK(loaded->sequence == 1);
  REQUIRE(loaded->skipped.size() == 1);
  CHECK(loaded->skipped[0].find("Input/output error") != std::string::npos);
}

TEST_CASE("a run whose checkpoints are all damaged is not silently started over") {
  const TempDir dir;
  CheckpointStore store(dir.path(), 5);
  for (std::int64_t step = 1; step <= 2; ++step) damage(store.save(state_at(step), false));
  check_throws<CheckpointError>([&] { CheckpointStore::load_newest(dir.path()); }, dir.path().string(),
                                "checkpoint-000001.hrc", "checkpoint-000002.hrc");
  check_throws<CheckpointError>([&] { CheckpointStore::load_newest(dir.path() / "no"); }, "No such file");
}

TEST_CASE("a checkpoint whose header cannot be read is not removed and does not count among the newest") {
  const TempDir dir;
  CheckpointStore store(dir.path(), 2);
  for (std::int64_t step = 1; step <= 2; ++step) store.save(state_at(step), step == 1);
  damage(dir.path() / checkpoint_name(1), true);
  for (std::int64_t step = 3; step <= 5; ++step) store.save(state_at(step), false);
  CHECK(numbers_in(dir.path()) == Numbers{1, 4, 5});
  CHECK(store.rotation_problem().find("checkpoint-000001.hrc") != std::string::npos);
}

TEST_CASE("a store removes incomplete files of a killed process, and nothing else") {
  const TempDir dir;
  for (const char* name : {".checkpoint-000003.hrc.tmp-123-0", ".checkpoint-1000000.hrc.tmp-1-17"}) dir.write(name, "");
  const std::set<std::string> others{".checkpoint-000003.hrc",
                                     "checkpoint-000003.hrc.tmp-123-0",
                                     ".other.tmp-1-0",
                                     ".checkpoint-3.hrc.tmp-1",
                                     ".tmp-1-0",
                                     "."
                                     "swp"};
  for (const std::string& name : others) dir.write(name, "");
  const CheckpointStore store(dir.path(), 2);
  auto names = names_in(dir.path());
  CHECK(names.erase(".lock") == 1);
  CHECK(names == others);
}

TEST_CASE("two stores do not share a directory") {
  const TempDir dir;
  {
    const CheckpointStore store(dir.path(), 2);
    check_throws<CheckpointError>([&] { CheckpointStore(dir.path(), 2); }, dir.path().string(), "in use by another run",
                                  concat("process ", getpid(), " on "), ".checkpoints = off");
  }
  const CheckpointStore store(dir.path(), 2);
  // A file system without locks is not a reason to lose checkpoints.
  FailingFiles files;
  files.failing = "lock";
  const CheckpointStore other(dir.path(), 2, files);
}

TEST_CASE("a store reads its directory again when a signal interrupts that") {
  const TempDir dir;
  FailingFiles files;
  const CheckpointStore store(dir.path(), 2, files);
  files.interruptions = 3;
  CHECK(train::list_checkpoints(dir.path(), files).empty());
  CHECK(files.interruptions == 0);
}

TEST_CASE("a forked child holds no lock after its parent, and writes no checkpoint") {
  const TempDir dir;
  int ends[2], ready[2];  // pipes to the child and from it
  REQUIRE(pipe(ends) == 0);
  REQUIRE(pipe(ready) == 0);
  std::optional<CheckpointStore> store(std::in_place, dir.path(), 2);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[1]);
    char byte = 0;
    if (write(ready[1], &byte, 1) != 1) _exit(2);
    _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);  // lives until the parent closes the pipe
  }
  char byte = 0;
  REQUIRE(read(ready[0], &byte, 1) == 1);                            // its handler of fork has run
  CHECK_THROWS_AS(CheckpointStore(dir.path(), 2), CheckpointError);  // the parent has not lost it
  store.reset();
  store.emplace(dir.path(), 2);
  const train::TrainingState state;
  CHECK(in_child([&] {
          try {
            store->save(state, false);
            return 1;
          } catch (const CheckpointError& error) {
            return std::string(error.what()).find("end a forked child with _exit") != std::string::npos ? 0 : 2;
          }
        }) == 0);
  CHECK(in_child([&] {
          store.reset();  // of the child
          return 0;
        }) == 0);
  CHECK_THROWS_AS(CheckpointStore(dir.path(), 2), CheckpointError);
  store->save(state, false);
  for (const int end : {ends[0], ends[1], ready[0], ready[1]}) close(end);
  int status = 1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("a save that fails removes nothing; a removal that fails is reported, and does not fail the save") {
  const TempDir dir;
  FailingFiles files;
  CheckpointStore store(dir.path(), 1, files);
  store.save(state_at(1), false);
  for (const char* call : {"list", "open", "write", "sync", "close", "rename"}) {
    files.failing = call;
    check_throws<CheckpointError>([&] { store.save(state_at(2), false); }, "No space left on device");
    CHECK(numbers_in(dir.path()) == Numbers{1});
  }
  files.failing = "unlink";
  store.save(state_at(2), false);
  CHECK(numbers_in(dir.path()) == Numbers{1, 2});
  CHECK(store.rotation_problem().find("cannot remove '" + (dir.path() / checkpoint_name(1)).string()) !=
        std::string::npos);
  files.failing = "";
  store.save(state_at(3), false);
  CHECK(numbers_in(dir.path()) == Numbers{3});
  CHECK(store.rotation_problem().empty());
}

TEST_CASE("every run gets a directory of its own, those that start at the same time too") {
  const TempDir dir;
  CHECK(new_run_dir(dir.path() / "runs", "mnist-1.0") == dir.path() / "runs" / "mnist-1.0" / "1");
  std::filesystem::create_directory(dir.path() / "runs" / "mnist-1.0" / "41");
  std::filesystem::create_directory(dir.path() / "runs" / "mnist-1.0" / "notes");
  std::mutex mutex;
  std::set<std::string> made;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        const auto run = new_run_dir(dir.path() / "runs", "mnist-1.0");
        const std::lock_guard lock(mutex);
        made.insert(run.filename().string());
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(made.size() == 20);
  CHECK(made.contains("42"));
  CHECK(made.contains("61"));
}

TEST_CASE("any text can be made the name of a run, and a name stays as it is") {
  for (const char* text : {"", ".", "..", ".hidden", "a/b", "a b", "\xC3\xA4", "mnist-1.0_x"})
    CHECK_MESSAGE(is_run_name(to_run_name(text)), text);
  CHECK(to_run_name("mnist-1.0_x") == "mnist-1.0_x");
  CHECK(to_run_name(".a b/c") == "_a_b_c");
  CHECK(to_run_name("") == "run");
  CHECK(to_run_name(std::string(101, 'a')) == std::string(100, 'a'));
  CHECK(!is_run_name(std::string(101, 'a')));
}

TEST_CASE("a place that cannot be written to is named, with a hint how to do without checkpoints") {
  const TempDir dir;
  const auto file = dir.write("file", "");
  check_throws<CheckpointError>([&] { new_run_dir(file, "run"); }, file.string(), "Not a directory",
                                ".checkpoints = off");
  check_throws<CheckpointError>([&] { CheckpointStore(file / "run", 5); }, file.string(), ".checkpoints = off");
  FailingFiles files(1, true, EROFS);
  check_throws<CheckpointError>([&] { new_run_dir(dir.path() / "runs", "run", files); }, "Read-only file system",
                                ".checkpoints = off");
  for (const char* name : {"", "..", ".hidden", "a/b", "a b", "\xC3\xA4"})
    check_throws<OptionError>([&] { new_run_dir(dir.path(), name); }, "letters, digits");
  check_throws<OptionError>([&] { CheckpointStore(dir.path(), 0); }, "want keep_last >= 1");
}
