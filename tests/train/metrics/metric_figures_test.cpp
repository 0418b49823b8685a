// The metrics of the library against scikit-learn's figures, however the rows come.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "reference/metric_figures.h"
#include "support/tasks.h"

using namespace handrail;
using train::Average;
using train::Metric;

namespace {

constexpr Index table_rows = 60;

struct Table {
  const char* name;
  train::Loss loss;
  train::TensorDataset data;  // the inputs are the predictions
  std::span<const reference::Figure> figures;
  std::span<const float> confusion = {};
};

Tensor tensor(std::span<const float> values, bool column) {
  const Index columns = std::ssize(values) / table_rows;
  const std::vector<Scalar> elements(values.begin(), values.end());
  return {columns == 1 && !column ? Shape{table_rows} : Shape{table_rows, columns}, elements};
}

Table table(const char* name, train::Loss loss, std::span<const float> predictions, std::span<const float> targets,
            std::span<const reference::Figure> figures, std::span<const float> confusion = {}) {
  const bool classes = loss.task() == train::Task::multiclass;
  return {name, loss, {tensor(predictions, true), tensor(targets, !classes)}, figures, confusion};
}

std::vector<Table> tables() {
  using namespace reference;
  return {
      table("binary", binary_cross_entropy_with_logits, binary_logits, binary_targets, binary_figures,
            binary_confusion),
      table("multiclass", cross_entropy, multiclass_logits, multiclass_targets, multiclass_figures,
            multiclass_confusion),
      table("absent", cross_entropy, absent_logits, absent_targets, absent_figures),
      table("two logits", cross_entropy, two_logits_logits, two_logits_targets, two_logits_figures,
            two_logits_confusion),
      table("multilabel", binary_cross_entropy_with_logits, multilabel_logits, multilabel_targets, multilabel_figures),
      table("one", mse_loss, one_predictions, one_targets, one_figures),
      table("three", mse_loss, three_predictions, three_targets, three_figures)};
}

template <class M>
void add_averages(std::vector<Metric>& metrics) {
  for (const Average average : {Average::binary_or_macro, Average::macro, Average::micro, Average::weighted})
    metrics.emplace_back(M{.average = average});
}

// Those that the table has a figure for.
std::vector<Metric> metrics_of(const Table& table) {
  std::vector<Metric> all{train::Auc{}, train::R2{}, train::Mae{}, train::Mse{}, train::Rmse{}};
  add_averages<train::F1>(all);
  add_averages<train::Precision>(all);
  add_averages<train::Recall>(all);
  std::erase_if(all, [&](const Metric& metric) {
    return std::ranges::none_of(table.figures, [&](const auto& figure) { return figure.name == metric.name(); });
  });
  return all;
}

std::map<std::string, std::vector<Index>> orders(const train::TensorDataset& data) {
  const Index columns = data.targets().size() / data.size();
  auto by_target = train::all_rows(data);
  std::ranges::stable_sort(by_target, {}, [&](Index row) { return data.targets().data()[row * columns]; });
  auto shuffled = train::all_rows(data);
  Rng rng(3);
  for (std::size_t i = shuffled.size(); i > 1; --i)
    std::swap(shuffled[i - 1], shuffled[rng.below(static_cast<std::uint64_t>(i))]);
  return {{"as it is", train::all_rows(data)}, {"sorted", by_target}, {"shuffled", shuffled}};
}

struct Identity : nn::Layer {
  Tensor forward(const Tensor& x) const override { return x; }
};

}  // namespace

TEST_CASE("metrics equal scikit-learn's, of sorted and shuffled rows, at any batch size") {
  for (const Table& table : tables())
    for (const auto& ordered : orders(table.data))
      for (const Index batch_size : {1, 7, 16, 60}) {
        const train::Loader loader({table.data, ordered.second}, {.batch_size = batch_size});
        std::vector<Metric> metrics = metrics_of(table);
        for (Index i = 0; i < loader.size(); ++i)
          for (Metric& metric : metrics) metric.add(loader.batch(i).inputs, loader.batch(i).targets);
        std::size_t compared = 0;
        for (const reference::Figure& figure : table.figures)
          for (const Metric& metric : metrics)
            if (metric.name() == figure.name) {
              CHECK_MESSAGE(metric.result() == doctest::Approx(figure.value).epsilon(1e-9), table.name, ", ",
                            ordered.first, ", batches of ", batch_size, ": ", figure.name);
              ++compared;
            }
        CHECK(compared == metrics.size());
      }
}

TEST_CASE("an evaluation has scikit-learn's figures, whatever the order of the rows") {
  Identity model;
  for (const Table& table : tables())
    for (const auto& ordered : orders(table.data)) {
      CAPTURE(table.name);
      CAPTURE(ordered.first);
      train::TrainerOptions options = quiet({.epochs = 1});
      options.metrics = metrics_of(table);
      train::Trainer trainer{model, table.loss, options};
      const train::Subset data(std::make_shared<train::TensorDataset>(table.data), ordered.second);
      for (int time = 0; time < 2; ++time) {  // nothing stays from one evaluation to the next
        const train::Evaluation evaluation = trainer.evaluate(data);
        CHECK(evaluation.group_losses.size() >= 30);  // batches of two rows
        CHECK(evaluation.metrics.size() == options.metrics.size());
        for (const reference::Figure& figure : table.figures) {
          CAPTURE(figure.name);
          const bool accuracy = std::string(figure.name) == "accuracy";
          const double got = accuracy ? evaluation.accuracy() : evaluation.metric(figure.name);
          CHECK(got == doctest::Approx(figure.value).epsilon(1e-9));
        }
        if (table.confusion.empty()) continue;
        const train::Confusion confusion = evaluation.confusion();
        REQUIRE(confusion.classes() * confusion.classes() == std::ssize(table.confusion));
        for (Index i = 0; i < std::ssize(table.confusion); ++i)
          CHECK(confusion.count(i / confusion.classes(), i % confusion.classes()) ==
                static_cast<Index>(table.confusion[static_cast<std::size_t>(i)]));
        CHECK(confusion.accuracy() == doctest::Approx(evaluation.accuracy()));
      }
    }
}
