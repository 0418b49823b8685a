#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/checkpoints/checkpoint_store.h>
#include <handrail/train/checkpoints/internal/retention.h>

#include <support/failing_files.h>
#include <support/files.h>
#include <support/power_loss.h>
#include <support/sanitized.h>
#include <support/training_state.h>

namespace {

using namespace handrail;
using namespace handrail::train;

const std::filesystem::path in_memory = "/handrail-in-memory/run";

// Neighbours differ in size too: a file with the start of one and the end of another is no checkpoint.
TrainingState state_with(std::int64_t step) {
  TrainingState state = step % 2 == 0 ? full_state() : state_at(step);
  state.progress.step = step;
  return state;
}

struct Fault {
  int nth;
  bool from_then_on;
  int error;
  std::size_t most_written;
};

// Interrupted calls are made again, and no system interrupts them for ever.
constexpr int most_interruptions = 20;

// Saves three times with that fault, behind a first save without, and looks at what is left. Returns whether
// there were so many calls that it came to the fault.
bool saves_survive(const Fault& fault, const std::filesystem::path& run, FileSystem& disk) {
  CAPTURE(fault.nth);
  CAPTURE(fault.from_then_on);
  CAPTURE(fault.error);
  CAPTURE(fault.most_written);
  CheckpointStore(run, 1, disk).save(state_with(1), true);
  FailingFiles files(fault.nth, fault.from_then_on, fault.error, disk);
  files.most_written = fault.most_written;
  if (fault.error == EINTR) files.most_failures = most_interruptions;
  std::int64_t saved = 1;
  std::vector<std::string> errors;
  try {
    CheckpointStore store(run, 1, files);
    for (std::int64_t step = 2; step <= 4; ++step) try {
        store.save(state_with(step), false);
        saved = step;
        if (!store.rotation_problem().empty()) errors.push_back(store.rotation_problem());
      } catch (const CheckpointError& error) {
        errors.emplace_back(error.what());
      }
  } catch (const CheckpointError& error) {
    errors.emplace_back(error.what());
  }

  const std::string cause = std::generic_category().message(fault.error);
  for (const std::string& error : errors) {
    CAPTURE(error);
    CHECK(error.find(run.parent_path().string()) != std::string::npos);
    CHECK(error.find(cause) != std::string::npos);
  }
  const std::string& call = files.first_failed();
  CAPTURE(call);
  const auto is_any_of = [&](auto... calls) { return ((call == calls) || ...); };
  if (!fault.from_then_on && !errors.empty() && is_any_of("write", "rename"))
    CHECK(errors[0].find(" bytes; what was at that path is unchanged") != std::string::npos);
  if (!fault.from_then_on && !errors.empty() && is_any_of("sync"))
    CHECK((errors[0].find(" bytes; what was at that path is unchanged") != std::string::npos ||
           errors[0].find("what was written is in place") != std::string::npos));
  if (!fault.from_then_on && fault.error == EINTR && is_any_of("open", "read", "write", "close", "lock"))
    CHECK(errors.empty());

  const auto loaded = CheckpointStore::load_newest(run, disk);
  REQUIRE(loaded.has_value());
  const std::int64_t step = loaded->state.progress.step;
  CHECK(step >= saved);
  CHECK(step <= 4);
  CHECK(loaded->skipped.empty());
  check_same(loaded->state, state_with(step));
  const auto first = list_checkpoints(run, disk).front();
  CHECK(first.sequence == 1);  // the best
  check_same(load_checkpoint(first.path, disk), state_with(1));

  CheckpointStore(run, 1, disk).save(state_with(5), false);
  std::vector<std::string> names,
      want{".lock", checkpoint_name(1), checkpoint_name(list_checkpoints(run, disk).back().sequence)};
  REQUIRE(disk.list(run.c_str(), names) == 0);
  std::ranges::sort(names);
  CHECK(names == want);
  return files.failed();
}

}  // namespace

TEST_CASE(
    "whichever call of three saves fails, with whichever error, a good checkpoint remains and no temporary file") {
  int faults = 0;
  for (const int error : {ENOSPC, EIO, EXDEV, EINTR, EDQUOT, EACCES, EROFS, ENOMEM, EMFILE, ENOENT})
    for (const bool from_then_on : {false, true})
      for (const std::size_t most_written : {std::size_t{1} << 30, std::size_t{100}}) {
        const int stride = sanitized ? 7 : 1;
        bool failed = true;
        for (int nth = 1; failed; nth += stride, ++faults) {
          PowerLossFiles disk;
          failed = saves_survive({nth, from_then_on, error, most_written}, in_memory, disk);
          CHECK(disk.open_files() == 0);
        }
      }
  CHECK(faults > (sanitized ? 400 : 4000));
}

TEST_CASE("on the real disk too, a good checkpoint remains whichever call of three saves fails") {
  bool failed = true;
  for (int nth = 1; failed; nth += 7) {  // a sync there may take as long as a hundred faults in memory
    const TempDir dir;
    failed = saves_survive({nth, nth % 2 == 0, EIO, 200}, dir.path() / "run", posix_file_system());
  }
}
