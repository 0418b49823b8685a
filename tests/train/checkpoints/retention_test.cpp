#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/checkpoints/internal/retention.h>

#include <support/check_throws.h>
#include <support/files.h>

namespace {

using namespace handrail;
using namespace handrail::train;

using Removed = std::vector<std::int64_t>;

std::vector<ExistingCheckpoint> numbered(std::int64_t from, std::int64_t to, std::vector<std::int64_t> best = {}) {
  std::vector<ExistingCheckpoint> existing;
  for (std::int64_t n = from; n <= to; ++n) existing.push_back({n, std::ranges::find(best, n) != best.end()});
  return existing;
}

}  // namespace

TEST_CASE("the newest checkpoints stay, and all when there are no more than that") {
  CHECK(plan_retention({}, 5).empty());
  CHECK(plan_retention(numbered(1, 5), 5).empty());
  CHECK(plan_retention(numbered(1, 6), 5) == Removed{1});
  CHECK(plan_retention(numbered(1, 6), 1) == Removed{1, 2, 3, 4, 5});
}

TEST_CASE("the newest one marked as best stays, in place of none of the newest") {
  CHECK(plan_retention(numbered(1, 8, {2}), 3) == Removed{1, 3, 4, 5});
  CHECK(plan_retention(numbered(1, 8, {2, 4}), 3) == Removed{1, 2, 3, 5});
  CHECK(plan_retention(numbered(1, 8, {2, 7}), 3) == Removed{1, 2, 3, 4, 5});
}

TEST_CASE("the one resumed from stays") {
  CHECK(plan_retention(numbered(1, 8, {2}), 3, 4) == Removed{1, 3, 5});
  CHECK(plan_retention(numbered(1, 8), 3, 8) == Removed{1, 2, 3, 4, 5});
  CHECK(plan_retention(numbered(1, 4), 3, 99) == Removed{1});
}

TEST_CASE("the order and gaps of the numbers do not matter") {
  const std::vector<ExistingCheckpoint> existing{{100}, {7, true}, {2'000'000'000'000}, {1}};
  CHECK(plan_retention(existing, 1) == Removed{1, 100});
}

TEST_CASE("keeping less than one checkpoint is refused") {
  for (const std::int64_t keep_last : {0, -1})
    check_throws<OptionError>([&] { plan_retention(numbered(1, 2), keep_last); }, "want keep_last >= 1");
}

TEST_CASE("names of checkpoints and their numbers belong together") {
  CHECK(checkpoint_name(12) == "checkpoint-000012.hrc");
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{999'999}, std::int64_t{1'000'000'000'000}})
    CHECK(checkpoint_sequence(checkpoint_name(number)) == number);
  for (const char* other :
       {"", "checkpoint-.hrc", "checkpoint-12.hrc", "checkpoint-0000012.hrc", "checkpoint-00001a.hrc",
        "checkpoint--00012.hrc", "checkpoint-+00012.hrc", "checkpoint-000012.hrc.bak", ".checkpoint-000012.hrc.tmp-1-0",
        "checkpoint-9223372036854775807.hrc", "checkpoint-99999999999999999999.hrc", "xcheckpoint-000012.hrc"})
    CHECK_MESSAGE(!checkpoint_sequence(other).has_value(), other);
}

TEST_CASE("checkpoints are listed by number, not by time, and other files are passed over") {
  const TempDir dir;
  for (const char* name : {"checkpoint-000010.hrc", "checkpoint-1000000.hrc", "checkpoint-000009.hrc", ".lock",
                           "log.csv", "checkpoint-000011.hrc.txt"})
    dir.write(name, "");
  const auto later = std::filesystem::file_time_type::clock::now() + std::chrono::hours(1);
  std::filesystem::last_write_time(dir.path() / "checkpoint-000009.hrc", later);
  std::vector<std::int64_t> numbers;
  for (const CheckpointFile& file : list_checkpoints(dir.path())) {
    CHECK(file.path == dir.path() / checkpoint_name(file.sequence));
    numbers.push_back(file.sequence);
  }
  CHECK(numbers == std::vector<std::int64_t>{9, 10, 1'000'000});
  check_throws<CheckpointError>([&] { list_checkpoints(dir.path() / "no"); }, "/no'", "No such file or directory");
}
