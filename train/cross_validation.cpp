#include <handrail/train/cross_validation.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/train/data/split.h>
#include <handrail/train/data/subset.h>
#include <handrail/train/files/text.h>
#include <handrail/train/run/internal/parts.h>
#include <handrail/train/trainer.h>

namespace handrail::train {
namespace {

Score measured(const CrossValidation& result, const std::function<double(const Evaluation&)>& figure) {
  if (result.folds.empty()) fail<MetricError>("cross_validate: want a complete fold; got none before the signal");
  std::vector<double> values;
  for (const Fold& fold : result.folds) values.push_back(figure(fold.test));
  return score_of(std::move(values), result.planned_folds);
}

bool has_warning(const Fold& fold) {
  return std::ranges::any_of(fold.fit.anomalies, [](const Anomaly& a) { return a.severity == Severity::warning; });
}

// Fold `number`, which is held out, and all other rows. The data set outlives both.
std::pair<Subset, Subset> parts_of(const std::vector<Rows>& folds, Index number) {
  const std::shared_ptr<const Dataset> data(std::shared_ptr<void>(), &folds[0].dataset());
  std::vector<Index> rest;
  for (Index k = 0; k < std::ssize(folds); ++k) {
    const auto numbers = folds[static_cast<std::size_t>(k)].numbers();
    if (k != number) rest.insert(rest.end(), numbers.begin(), numbers.end());
  }
  std::ranges::sort(rest);
  const auto held_out = folds[static_cast<std::size_t>(number)].numbers();
  return {Subset(data, std::move(rest)), Subset(data, {held_out.begin(), held_out.end()})};
}

}  // namespace

Score CrossValidation::loss() const {
  return measured(*this, [](const Evaluation& e) { return e.loss; });
}

Score CrossValidation::accuracy() const {
  return measured(*this, [](const Evaluation& e) { return e.accuracy(); });
}

Score CrossValidation::metric(std::string_view name) const {
  return measured(*this, [name](const Evaluation& e) { return e.metric(name); });
}

std::string CrossValidation::text() const {
  if (folds.empty()) return "";
  const Evaluation& first = folds[0].test;
  std::vector<std::pair<std::string, Score>> scores{{"loss", loss()}};
  if (first.measured_accuracy) scores.emplace_back("accuracy", accuracy());
  for (const MetricValue& value : first.metrics) scores.emplace_back(value.name, metric(value.name));
  std::size_t width = 0;
  for (const auto& [name, score] : scores) width = std::max(width, name.size());
  std::string all =
      concat(counted(std::ssize(folds), "fold"), std::ssize(folds) < planned_folds ? concat(" of ", planned_folds) : "",
             ", mean and 95 % interval\n");
  for (const auto& [name, score] : scores)
    all += concat(name, std::string(width + 2 - name.size(), ' '), four_digits(score.mean), "  ",
                  four_digits(score.low), " to ", four_digits(score.high), '\n');
  if (const auto warned = std::ranges::count_if(folds, has_warning); warned > 0)
    all += concat(counted(warned, "fold"), " with warnings: CrossValidation::diagnosis_text()\n");
  return all;
}

std::string CrossValidation::diagnosis_text() const {
  std::vector<const FitResult*> fits;
  for (const Fold& fold : folds) fits.push_back(&fold.fit);
  return train::diagnosis_text("fold", fits);
}

CrossValidation cross_validate(const ModelMaker& make_model, const Loss& loss, const TrainerOptions& options,
                               const Dataset& data, const CrossValidationOptions& cross_validation) {
  validate(options);
  const Index count = cross_validation.folds;
  const bool classes = options.stratify && loss.task() != Task::regression;
  const auto folds = (classes ? stratified_folds : random_folds)(Rows(data), count, options.seed);

  CrossValidation result{.folds = {}, .planned_folds = count};
  const auto run = [&](Index number, const TrainerOptions& own) {
    const auto [rest, held_out] = parts_of(folds, number);
    Rng rng(own.seed);
    const auto model = make_model(rng, &rest);
    Trainer trainer(*model, loss, own);
    Part part{.fit = trainer.fit(rest)};
    if (part.fit.reason == StopReason::interrupted) return part;
    part.test = trainer.evaluate(held_out);
    result.folds.push_back({.fit = part.fit, .test = *part.test});
    return part;
  };
  result.signal = run_parts({.kind = "fold", .activity = "training the folds"}, count, options, run);
  return result;
}

}  // namespace handrail::train
