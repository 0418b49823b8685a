#include <handrail/train/run/internal/end_checks.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/tape.h>
#include <handrail/train/checks/internal/outcome/label_diagnosis.h>
#include <handrail/train/checks/internal/outcome/linear_model.h>
#include <handrail/train/checks/internal/outcome/outcome_checks.h>
#include <handrail/train/checks/internal/outcome/products.h>
#include <handrail/train/checks/internal/row_checks.h>
#include <handrail/train/run/internal/evaluate.h>
#include <handrail/train/run/internal/rehearsal.h>

namespace handrail::train {
namespace {

constexpr Index max_judged_rows = 1000;     // that are predicted, and that a linear model is fitted to
constexpr Index max_columns = 256;          // of inputs for a linear model, or of their products
constexpr Index max_linear_size = 100'000;  // elements of the inputs that it is fitted to

// Rows of a data set that are put together again from batches.
struct Gathered {
  std::vector<Scalar> inputs = {}, targets = {}, predictions = {};
  Shape input_shape = {}, target_shape = {}, prediction_shape = {};
  Index rows = 0;

  void add(const Batch& batch, const Tensor& predicted) {
    const auto append = [](std::vector<Scalar>& all, Shape& shape, const Tensor& tensor) {
      shape = tensor.shape();
      all.insert(all.end(), tensor.span().begin(), tensor.span().end());
    };
    append(inputs, input_shape, batch.inputs);
    append(targets, target_shape, batch.targets);
    if (predicted.defined()) append(predictions, prediction_shape, predicted);
    rows += batch.inputs.shape()[0];
  }
  bool has_predictions() const {
    return rows > 0 && prediction_shape.rank() > 0 &&
           std::ssize(predictions) == rows * prediction_shape.without_first().size();
  }
  Tensor all_inputs() const { return {input_shape.with_first(rows), inputs}; }
  Tensor all_targets() const { return {target_shape.with_first(rows), targets}; }
  Tensor all_predictions() const { return {prediction_shape.with_first(rows), predictions}; }
};

class EndChecks {
 public:
  EndChecks(const Setup& setup, const Loop& loop, Stop& stop, const DataReview& review)
      : setup_(setup), loop_(loop), stop_(stop), review_(review) {}

  void run() {
    const GuardOptions& on = setup_.options.guards;
    if (on.duration) keep(check_duration());
    if (review_.kept) keep(check_data_again());
    if (setup_.validation && (on.linear || on.overfitting)) look_at_validation();
    if (on.evaluation || (on.overfitting && setup_.validation)) look_at_training();
    if (on.overfitting) check_generalisation();
    if (on.linear) check_linear_model();
    if (on.duration) check_longer_training();
  }
  std::vector<Anomaly> take() { return std::move(found_); }

 private:
  void poll() const {
    stop_.look_at_end();
    if (stop_.signal() != 0) throw Interrupted{};
  }
  void keep(std::optional<Anomaly> anomaly) {
    if (anomaly) found_.push_back(std::move(*anomaly));
  }

  std::optional<Anomaly> check_duration() const {
    const TrainerOptions& o = setup_.options;
    EndOfRun end{.steps = loop_.at.step,
                 .planned_steps = setup_.decisions.planned_steps,
                 .epochs = loop_.at.epoch - 1,
                 .planned_epochs = o.epochs,
                 .steps_to_evaluation = std::min<std::int64_t>(o.val_check_interval, setup_.steps_to_epoch()),
                 .steps_to_epoch = setup_.steps_to_epoch()};
    if (stop_.reason() == StopReason::max_time) end.max_seconds = o.max_seconds.value_or(0);
    if (stop_.reason() == StopReason::early_stopping) end.patience = o.patience.value_or(0);
    return train::check_end(end);
  }

  // Reads some training rows once more, twice.
  std::optional<Anomaly> check_data_again() const {
    const DataPart part{.rows = setup_.data.train, .normalization = setup_.info.normalization};
    const Batch now = gather(part, review_.kept_rows), again = gather(part, review_.kept_rows);
    return check_unchanged(*review_.kept, now, again);
  }

  // Evaluates the first batches.
  void look_at_validation() {
    const InferenceMode inference;
    const Loader& loader = *setup_.validation;
    const Index batches = std::min(loader.size(), setup_.options.limit_val_batches.value_or(loader.size()));
    for (Index i = 0; i < batches && validation_.rows < max_judged_rows; ++i) {
      poll();
      const Batch batch = loader.batch(i);
      validation_.add(batch, setup_.recipe.validation_step(batch).predictions);
    }
  }

  // Predicts some training rows in training and in evaluation.
  void look_at_training() {
    constexpr Index wanted = 256;
    Gathered training, evaluation;
    {
      const Rehearsal rehearsal(setup_, loop_.at, stop_);
      for (Index i = 0; i < setup_.batches() && training.rows < wanted; ++i) {
        poll();
        const Batch batch = setup_.loader->batch(i);
        Tensor predictions;
        {
          const Tape tape(Mode::train, loop_.at.rehearsal_random(setup_.decisions.seed, i));
          predictions = setup_.recipe.training_step(batch).predictions;
        }
        if (!predictions.defined()) return;
        training.add(batch, predictions);
        const InferenceMode inference;
        evaluation.add(batch, setup_.recipe.predict_step(batch.inputs));
      }
    }
    if (!training.has_predictions() || !evaluation.has_predictions()) return;
    const Task task = setup_.info.task;
    const auto as_trained = score_rows(training.all_predictions(), training.all_targets(), task);
    training_ = score_rows(evaluation.all_predictions(), evaluation.all_targets(), task);
    if (!setup_.options.guards.evaluation || !as_trained || !training_) return;
    keep(check_modes(*as_trained, *training_, task));
    const Index classes = task == Task::multiclass ? training.prediction_shape.without_first().size() : 2;
    keep(check_opposite(*as_trained, task, classes));
  }

  // Compares predictions of training rows with those of the validation set.
  void check_generalisation() {
    if (!training_ || !validation_.has_predictions() || !setup_.plain_loss()) return;
    const Task task = setup_.info.task;
    const auto held_out = score_rows(validation_.all_predictions(), validation_.all_targets(), task);
    if (!held_out) return;
    const Index rows = setup_.data.train.size();
    Index weights = 0;
    for (const Parameter& p : setup_.parameters) weights += p.tensor.requires_grad() ? p.tensor.size() : 0;
    if (!setup_.options.restore_best && weights > rows) keep(check_memorised(*training_, *held_out, task));
    keep(check_sorted_apart(*training_, *held_out, validation_.all_inputs(), validation_.all_targets(), task));
    keep(check_model_size(weights, rows, *training_, *held_out, task));
    keep(check_noise_columns({.columns = review_.noise_columns,
                              .of = validation_.input_shape.without_first().size(),
                              .rows = rows,
                              .learnt = tells_targets(validation_.all_predictions(), validation_.all_targets(), task)},
                             *training_, *held_out, task));
  }

  // Fits a linear model to evenly spaced training rows, and compares it on the validation rows. It tells of shifted
  // targets even where the model has learnt nothing.
  void check_linear_model() {
    const Task task = setup_.info.task;
    if (!validation_.has_predictions() || (!setup_.plain_loss() && task != Task::multiclass)) return;
    const Index columns = validation_.input_shape.without_first().size();
    if (columns == 0 || columns > max_columns) return;
    const auto model = score_rows(validation_.all_predictions(), validation_.all_targets(), task);
    if (!model) return;
    const Rows& all = setup_.data.train;
    const Index count = std::min({all.size(), max_judged_rows, max_linear_size / columns});
    std::vector<Index> positions;
    for (Index i = 0; i < count; ++i) positions.push_back(i * all.size() / count);
    Gathered training;
    const Loader loader(all.pick(positions), {.batch_size = 256, .normalization = setup_.info.normalization});
    for (Index i = 0; i < loader.size(); ++i) {
      poll();
      training.add(loader.batch(i), {});
    }
    const Index outputs = validation_.prediction_shape.without_first().size();
    const LinearModel linear(training.all_inputs(), training.all_targets(), task, outputs);
    Tensor predictions = linear.predict(validation_.all_inputs());
    if (task != Task::multiclass) predictions = predictions.view(validation_.all_targets().shape());
    const Tensor targets = validation_.all_targets();
    const auto rows = setup_.data.validation->numbers().first(static_cast<std::size_t>(validation_.rows));
    if (setup_.options.guards.labels) keep(diagnose_shift(predictions, targets, task, rows));
    if (const auto line = score_rows(predictions, targets, task)) keep(check_linear(*model, *line, task));
    if (Products::columns(columns) > max_columns || !predicts_affinely()) return;
    const Products products(training.all_inputs());
    const LinearModel curve(products.of(training.all_inputs()), training.all_targets(), task, outputs);
    predictions = curve.predict(products.of(validation_.all_inputs()));
    if (task != Task::multiclass) predictions = predictions.view(targets.shape());
    if (const auto curved = score_rows(predictions, targets, task)) keep(check_curved(*model, *curved, task));
  }

  // Trains on for a few steps at ten times a rate that was given, and measures the validation set before and after.
  void check_longer_training() {
    constexpr std::int64_t min_steps = 10, max_steps = 100;
    constexpr double faster = 10;
    const TrainerOptions& o = setup_.options;
    const std::int64_t steps = std::min(setup_.decisions.planned_steps / 20, max_steps);
    if (!setup_.validation || !o.lr || stop_.reason() != StopReason::finished || steps < min_steps) return;
    const double lr = setup_.decisions.lr, higher = std::min(faster * lr, setup_.optimizer->max_lr());
    const auto measure = [&] {
      return evaluate(setup_.recipe, setup_.info.task, {}, *setup_.validation,
                      o.limit_val_batches.value_or(setup_.validation->size()), [this] { poll(); });
    };
    const Evaluation before = measure();
    Rehearsal rehearsal(setup_, loop_.at, stop_);
    for (std::int64_t i = 0; i < steps; ++i) {
      poll();
      if (!rehearsal.step(higher, rehearsal.next_batches()).updated) return;
    }
    keep(check_undertrained({.lr = lr, .steps = steps, .trial_lr = higher}, before, measure()));
  }

  bool predicts_affinely() const {
    constexpr Index max_rows = 64;
    const Tensor inputs = validation_.all_inputs();
    const Index rows = std::min(validation_.rows, max_rows) / 2, size = validation_.input_shape.without_first().size();
    if (rows == 0) return false;
    const Shape shape = validation_.input_shape.with_first(rows);
    const Tensor first(shape), second(shape), middle(shape);
    for (Index i = 0; i < rows * size; ++i) {
      const Scalar a = inputs.data()[i], b = inputs.data()[rows * size + i];
      first.mutable_data()[i] = a;
      second.mutable_data()[i] = b;
      middle.mutable_data()[i] = (a + b) / 2;
    }
    const InferenceMode inference;
    const auto predict = [&](const Tensor& x) { return setup_.recipe.predict_step(x); };
    return is_affine(predict(first), predict(second), predict(middle));
  }

  const Setup& setup_;
  const Loop& loop_;
  Stop& stop_;
  const DataReview& review_;
  Gathered validation_;
  std::optional<RowScores> training_;  // of training rows, in evaluation
  std::vector<Anomaly> found_;
};

}  // namespace

std::vector<Anomaly> judge_end(const Setup& setup, const Loop& loop, Stop& stop, const DataReview& review) {
  EndChecks checks(setup, loop, stop, review);
  try {
    checks.run();
  } catch (...) {  // a signal, or what the program's own functions throw: the run itself went well
  }
  return checks.take();
}

}  // namespace handrail::train
