#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <handrail/handrail.h>

// A user's program as data, so that a fault can be planted in it with a few lines.

namespace faulty_runs {

using namespace handrail;

/// Rows of a data set: inputs x [N, D] and targets y, [N] for classes and [N, 1] otherwise.
struct Table {
  Tensor x, y;
  Index rows() const { return x.shape()[0]; }
  Index columns() const { return x.shape()[1]; }
};
/// The rows of these numbers, copied.
Table pick(const Table& table, const std::vector<Index>& rows);
/// The rows of both tables, those of `a` first.
Table join(const Table& a, const Table& b);
/// Appends a column to the inputs: value(row) of each row.
void add_column(Table& table, const std::function<double(Index)>& value);
/// Calls edit(value, row, column) for every cell of the inputs.
void cells(Table& table, const std::function<void(Scalar&, Index, Index)>& edit);
/// The row numbers 0 to count - 1, or a random order of them.
std::vector<Index> numbers(Index count);
std::vector<Index> shuffled(Index count, Rng& rng);

/// What a task asks: how its data looks, and how a model for it is usually built.
struct Task {
  train::Task kind;  // of the default loss
  Index outputs;     // of a model; the number of classes, or 1
  std::vector<Index> hidden;
  Index epochs;
  Table train = {}, validation = {}, test = {};
};

enum class Act { none, relu, gelu, tanh, sigmoid, softplus };
void push(nn::Sequential& model, Act activation);
/// Linear layers of these widths with an activation in between.
nn::Sequential mlp(const std::vector<Index>& widths, Rng& rng, Act activation = Act::relu);

/// A layer whose forward pass is a function.
struct Lambda : nn::Layer {
  explicit Lambda(std::function<Tensor(const Tensor&)> f) : function(std::move(f)) {}
  Tensor forward(const Tensor& x) const override { return function(x); }
  std::function<Tensor(const Tensor&)> function;
};

/// What a subclass of Trainer overrides; what is empty is inherited.
struct Overrides {
  std::function<train::StepOutput(const nn::Layer&model, const train::Batch&batch)> training_step, validation_step;
  std::function<Tensor(const nn::Layer& model, const Tensor& inputs)> predict_step;
  std::function<std::unique_ptr<optim::Optimizer>(const nn::Layer& model)> optimizer;
  std::function<optim::Schedule(double lr, std::int64_t planned_steps)> schedule;
  std::function<void(const nn::Layer& model, std::int64_t step)> after_step;
  std::function<void(const nn::Layer& model, Index epoch)> before_epoch;
};

/// A training loop of the user's own, with a tape and an optimizer, at a constant rate after a short warmup.
struct OwnLoop {
  bool zero_grad = true;
  bool shuffle = true;
  bool random_position = true;      // whether the tape has one
  bool step_after_backward = true;  // else before it
  Mode mode = Mode::train;
  Index batches_per_step = 1;
  std::function<optim::Schedule(double lr, std::int64_t planned_steps)> schedule = {};
  std::function<std::unique_ptr<optim::Optimizer>(const nn::Layer& model)> optimizer = {};
  bool new_optimizer_each_step = false;
  std::function<Tensor(const Tensor& loss)> change_loss = {};
  std::function<void(const train::Batch& batch, Index number)> change_batch = {};
  std::function<Index(Index batch)> pick_batch = {};
  std::function<void(const nn::Layer&model)> before_backward = {}, before_epoch = {}, after_step = {};
};

struct Program {
  train::Task kind = train::Task::multiclass;
  std::uint64_t seed = 1;
  Index outputs = 1;
  std::vector<Index> hidden = {};
  Act activation = Act::relu;
  Table train = {}, validation = {};
  /// What the program predicts when it is in use. Only what the program itself does to all inputs changes it.
  Table test = {};
  bool own_split = true;  // whether it gives `validation` to fit; else fit splits rows off `train`
  /// Makes the model for the columns of `train`. Empty: an mlp of `hidden` and `activation`.
  std::function<nn::Sequential(const Program&, Rng&)> make_model = {};
  train::Loss loss = cross_entropy;
  train::TrainerOptions options{.epochs = 1};
  Overrides overrides = {};
  std::optional<OwnLoop> own_loop = {};
  /// Makes the training set; empty: a TensorDataset.
  std::function<std::unique_ptr<train::Dataset>(const Table&)> training_set = {};
  /// The answer to each test row from the outputs of the model: its class, or a number. Empty: the largest output, an
  /// output above 0, or the output itself.
  std::function<std::vector<double>(const Tensor& outputs)> answers = {};
  bool allow_non_finite = false;  // whether data sets accept NaN
  Index random_search = 0;        // further fits with random options, of which the best by validation loss counts
  std::uint64_t search_salt = 2;  // draws other ones

  nn::Sequential model(Rng& rng) const;
  /// Widths from the columns of `train` over `hidden` to the outputs.
  std::vector<Index> widths() const;
  /// Calls edit on training and validation inputs; everywhere() also on those that the program predicts.
  void known(const std::function<void(Table&)>& edit);
  void everywhere(const std::function<void(Table&)>& edit);
  /// Builds models as before, and then appends a layer or edits them.
  template <class L>
  void append(std::function<L()> make) {
    change_model([make](nn::Sequential& built, Rng&) { built.push_back(make()); });
  }
  void change_model(std::function<void(nn::Sequential&, Rng&)> edit);
  /// The values of all parameters with this end of their name, such as "weight".
  void change_weights(const std::string& end, std::function<void(const Tensor&, Rng&)> edit);
  /// Random numbers for what is planted.
  Rng rng(std::uint64_t salt = 0) const {
    return Rng(StreamKey{.seed = seed, .stream = Stream::user, .position = salt});
  }
};

/// What the usual, healthy program of a task looks like. Programs with an even seed give their learning rate, those
/// with an odd one leave it to the library. With `own`, it has a loop of its own.
Program healthy_program(const Task& task, std::uint64_t seed, bool own);

/// Draws learning rate, batch size, optimizer, weight decay, clipping, warmup and epochs.
train::TrainerOptions random_options(train::TrainerOptions options, Rng& rng);

/// What a program came to.
struct Ran {
  std::vector<train::Anomaly> diagnosis = {};
  std::string text = {};  // the diagnosis as text
  // Of each test row: 1 for a right answer, else 0; for a regression 1 - squared error / variance, at least -4.
  std::vector<float> credits = {};
  double score = 0;                     // their mean: accuracy or R2
  std::optional<double> reported = {};  // accuracy or R2 on its own validation set, as the library reported it
  Index validation_rows = 0;
  double validation_loss = std::numeric_limits<double>::infinity();  // of the best evaluation
  Index further_fits = 0;                                            // of repair or of a random search
  std::string kept = {};                                             // the fixes that repair has kept
  std::string attempts = {};                                         // all that it has tried, with their losses
};
/// Trains and measures. Throws what the program throws.
Ran run(const Program& program);

}  // namespace faulty_runs
