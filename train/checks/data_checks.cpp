#include <handrail/train/checks/internal/data_checks.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/data/internal/hash.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

void check_finite(const DataPart& part, const char* what, const Tensor& values, std::span<const Index> rows) {
  const Index bad = first_non_finite(values.span());
  if (bad < 0) return;
  const Index cols = values.size() / std::ssize(rows);
  const Index row = rows[static_cast<std::size_t>(bad / cols)];
  throw DataError(concat("fit: want finite ", what, "; got ", values.data()[bad], " in row ", row, ", column ",
                         bad % cols, " of the ", part.name, " set; clean the data, or set checks.finite = off"),
                  row);
}

// Calls visit(row, hash of its inputs).
template <class Visit>
void visit_hashes(const DataPart& part, const Rows& rows, Visit&& visit) {
  for_batches(part, rows, [&](std::span<const Index> batch_rows, const Batch& batch) {
    const auto inputs = batch.inputs.span();
    const std::size_t cols = inputs.size() / batch_rows.size();
    for (std::size_t k = 0; k < batch_rows.size(); ++k)
      visit(batch_rows[k], hash_values(inputs.subspan(k * cols, cols)));
  });
}

// The validation rows that are training rows too.
struct Shared {
  Index rows = 0;                              // their number
  Index same_target = 0;                       // how many of them have the target of that training row too
  Index validation_row = 0, training_row = 0;  // the first pair of equal rows
};

}  // namespace

void check_finite(const DataPart& part) {
  for_batches(part, sample_rows(part), [&](std::span<const Index> rows, const Batch& batch) {
    check_finite(part, "inputs", batch.inputs, rows);
    check_finite(part, "targets", batch.targets, rows);
  });
}

std::optional<Anomaly> check_duplicates(const DataPart& train, const DataPart& validation) {
  if (train.rows.dataset().input_shape() != validation.rows.dataset().input_shape()) return std::nullopt;
  constexpr Index max_validation_rows = 20'000, min_shared_rows = 3;
  constexpr double min_share = 0.01;

  constexpr Index nowhere = -1;
  std::vector<std::pair<Index, std::uint64_t>> wanted;
  std::unordered_map<std::uint64_t, Index> first_training_row;
  visit_hashes(validation, sample_rows(validation, max_validation_rows), [&](Index row, std::uint64_t hash) {
    wanted.emplace_back(row, hash);
    first_training_row.emplace(hash, nowhere);
  });
  std::vector<std::uint64_t> training_hashes;
  visit_hashes(train, sample_rows(train), [&](Index row, std::uint64_t hash) {
    training_hashes.push_back(hash);
    const auto found = first_training_row.find(hash);
    if (found != first_training_row.end() && found->second == nowhere) found->second = row;
  });

  Shared shared;
  for (const auto& [row, hash] : wanted) {
    const Index training_row = first_training_row.at(hash);
    if (training_row == nowhere) continue;
    const Batch here = gather(validation, {&row, 1}), there = gather(train, {&training_row, 1});
    if (!std::ranges::equal(here.inputs.span(), there.inputs.span())) continue;
    if (shared.rows++ == 0) {
      shared.validation_row = row;
      shared.training_row = training_row;
    }
    shared.same_target += std::ranges::equal(here.targets.span(), there.targets.span());
  }
  const double share = static_cast<double>(shared.rows) / static_cast<double>(wanted.size());
  if (shared.rows < min_shared_rows || share <= min_share) return std::nullopt;

  // Rows that were copied from one set into the other do not repeat within a set; rows that repeat everywhere do.
  const auto trained = static_cast<double>(training_hashes.size());
  std::ranges::sort(training_hashes);
  const auto repeats = std::unique(training_hashes.begin(), training_hashes.end());
  const double repeated = static_cast<double>(training_hashes.end() - repeats) / trained;
  const bool everywhere = repeated > share / 4;
  return Anomaly{
      .name = "duplicate_rows",
      .where = concat("row ", shared.validation_row, " of the ", validation.name, " set"),
      .evidence = concat(shared.rows, " of ", wanted.size(), " ", validation.name, " rows (",
                         short_form(100 * share, 3), " %) occur in the ", train.name, " set"),
      .cause = everywhere ? "repeated rows in the data, or inputs with few distinct values: the validation loss looks "
                            "better than it is"
                          : "the same rows are in both sets: the validation loss looks better than it is",
      .remedy = everywhere ? "drop repeated rows before splitting" : "remove them from one set",
      .details = concat("the inputs are the same, the first as in row ", shared.training_row, "; the targets agree in ",
                        shared.same_target, "; ", short_form(100 * repeated, 3), " % of the ", train.name,
                        " rows repeat another row of their set"),
      .rank = Rank::outcome,
      .severity = everywhere ? Severity::note : Severity::warning};
}

}  // namespace handrail::train
