#include <handrail/train/checkpoints/internal/retention.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include <handrail/core/error.h>
#include <handrail/train/files/file_system.h>

namespace handrail::train {
namespace {

constexpr std::string_view prefix = "checkpoint-", suffix = ".hrc";
constexpr std::size_t min_digits = 6;

}  // namespace

std::vector<std::int64_t> plan_retention(std::span<const ExistingCheckpoint> existing, std::int64_t keep_last,
                                         std::optional<std::int64_t> resumed_from) {
  if (keep_last < 1) fail<OptionError>("plan_retention: want keep_last >= 1; got ", keep_last);
  std::vector<ExistingCheckpoint> newest_first(existing.begin(), existing.end());
  std::ranges::sort(newest_first, std::greater{}, &ExistingCheckpoint::sequence);
  std::vector<std::int64_t> remove;
  bool best_seen = false;
  std::int64_t place = 0;
  for (const ExistingCheckpoint& checkpoint : newest_first) {
    const bool is_the_best = checkpoint.is_best && !best_seen;
    best_seen |= checkpoint.is_best;
    if (place++ >= keep_last && !is_the_best && checkpoint.sequence != resumed_from)
      remove.push_back(checkpoint.sequence);
  }
  std::ranges::reverse(remove);
  return remove;
}

std::optional<std::int64_t> sequence_in(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = error == std::errc{} && end == digits.data() + digits.size() && digits.size() <= 18;
  return whole && value >= 0 ? std::optional(value) : std::nullopt;
}

std::string checkpoint_name(std::int64_t sequence) {
  std::string digits = std::to_string(sequence);
  if (digits.size() < min_digits) digits.insert(0, min_digits - digits.size(), '0');
  return concat(prefix, digits, suffix);
}

std::optional<std::int64_t> checkpoint_sequence(std::string_view name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() < prefix.size() + suffix.size())
    return std::nullopt;
  const auto number = sequence_in(name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
  return number && checkpoint_name(*number) == name ? number : std::nullopt;
}

std::vector<CheckpointFile> list_checkpoints(const std::filesystem::path& directory, FileSystem& files) {
  std::vector<CheckpointFile> found;
  for (const std::string& name : list_directory(files, directory, "list_checkpoints"))
    if (const auto sequence = checkpoint_sequence(name)) found.push_back({*sequence, directory / name});
  std::ranges::sort(found, {}, &CheckpointFile::sequence);
  return found;
}

}  // namespace handrail::train
