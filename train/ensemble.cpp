#include <handrail/train/ensemble.h>

#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include <handrail/core/error.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/tape.h>
#include <handrail/nn/module.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/run/internal/parts.h>
#include <handrail/train/run/internal/setup.h>
#include <handrail/train/trainer.h>

namespace handrail::train {
namespace {

constexpr std::string_view member_prefix = "member_";

using Members = std::vector<std::shared_ptr<nn::Layer>>;

}  // namespace

/// The members as one model. Its outputs are logits of the mean probabilities, so that every loss and metric for a
/// single model is one for it: log(mean softmax), log-odds(mean sigmoid), and for a regression the mean outputs.
class Ensemble::Mixture final : public nn::Layer {
 public:
  Mixture(Members members, Task task) : members_(std::move(members)), task_(task) {
    for (std::size_t k = 0; k < members_.size(); ++k) add(concat(member_prefix, k), members_[k]);
  }

  Tensor forward(const Tensor& x) const override {
    std::vector<Tensor> outputs;
    for (const auto& member : members_) outputs.push_back((*member)(x));
    switch (task_) {
      case Task::multiclass:
        return log_mean(outputs, [](const Tensor& y) { return log_softmax(y); });
      case Task::binary:  // log p - log(1 - p), where sigmoid(y) = 1 / (1 + exp(-y))
        return log_mean(outputs, [](const Tensor& y) { return -softplus(-y); }) -
               log_mean(outputs, [](const Tensor& y) { return -softplus(y); });
      case Task::regression:
        break;
    }
    Tensor sum = outputs[0];
    for (std::size_t k = 1; k < outputs.size(); ++k) sum = sum + outputs[k];
    return sum * (1 / static_cast<double>(outputs.size()));
  }

  /// The mean probabilities for what forward returns; for a regression the same.
  Tensor probabilities(const Tensor& y) const {
    return task_ == Task::multiclass ? softmax(y) : task_ == Task::binary ? sigmoid(y) : y;
  }

  Index size() const { return std::ssize(members_); }

 private:
  // The logarithm of the mean of the probabilities whose logarithms log_p gives.
  template <class LogP>
  static Tensor log_mean(std::vector<Tensor> outputs, LogP&& log_p) {
    for (Tensor& y : outputs) {  // the members come along a new last axis, over which logsumexp adds
      std::vector<Index> dims(y.shape().dims().begin(), y.shape().dims().end());
      dims.push_back(1);
      y = reshape(log_p(y), Shape(dims));
    }
    return logsumexp(cat(outputs, -1)) - std::log(static_cast<double>(outputs.size()));
  }

  Members members_;
  Task task_;
};

struct Ensemble::State {
  State(const Members& members, const Loss& loss, ModelInfo of_members, std::vector<Metric> metrics)
      : model(members, loss.task()),
        info(std::move(of_members)),
        trainer(model, loss,
                {.epochs = 1, .metrics = std::move(metrics), .normalization = info.normalization, .sinks = {}}) {}

  Mixture model;
  ModelInfo info;
  Trainer trainer;  // evaluates and predicts
  std::vector<FitResult> results = {};
  int signal = 0;
};

Ensemble::Ensemble(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ensemble::Ensemble(Ensemble&&) noexcept = default;
Ensemble& Ensemble::operator=(Ensemble&&) noexcept = default;
Ensemble::~Ensemble() = default;

Index Ensemble::size() const { return state_->model.size(); }

Tensor Ensemble::predict(const Dataset& data) const {
  const InferenceMode inference;
  return state_->model.probabilities(state_->trainer.predict(data));
}

Tensor Ensemble::predict(const Tensor& inputs) const {
  const InferenceMode inference;
  return state_->model.probabilities(state_->trainer.predict(inputs));
}

Evaluation Ensemble::evaluate(const Dataset& data) const { return state_->trainer.evaluate(data); }

void Ensemble::save(const std::filesystem::path& path) const { save_model(state_->model, state_->info, path); }

const ModelInfo& Ensemble::model_info() const { return state_->info; }

const std::vector<FitResult>& Ensemble::results() const { return state_->results; }

std::string Ensemble::diagnosis_text() const {
  std::vector<const FitResult*> fits;
  for (const FitResult& fit : state_->results) fits.push_back(&fit);
  return train::diagnosis_text("member", fits);
}

int Ensemble::exit_status() const { return state_->signal != 0 ? 128 + state_->signal : 0; }

Ensemble fit_ensemble(const ModelMaker& make_model, const Loss& loss, const TrainerOptions& options,
                      const Dataset& data, const EnsembleOptions& ensemble) {
  if (ensemble.members < 1) fail<OptionError>("fit_ensemble: want members >= 1; got ", ensemble.members);
  validate(options);
  TrainerOptions shared = options;
  if (!shared.normalization) shared.normalization = data.fit_normalization(all_rows(data));

  Members members;
  std::vector<FitResult> results;
  ModelInfo info;
  const auto run = [&](Index number, const TrainerOptions& own) {
    Rng rng(own.seed);
    auto model = make_model(rng, &data);
    Trainer trainer(*model, loss, own);
    Part part{.fit = trainer.fit(data)};
    if (part.fit.reason == StopReason::interrupted && number > 0) return part;
    members.push_back(std::move(model));
    results.push_back(part.fit);
    info = trainer.model_info();
    return part;
  };
  const int signal = run_parts({.kind = "member", .activity = "training the members"}, ensemble.members, shared, run);
  auto state = std::make_unique<Ensemble::State>(members, loss, std::move(info), options.metrics);
  state->results = std::move(results);
  state->signal = signal;
  return Ensemble(std::move(state));
}

Ensemble load_ensemble(const ModelMaker& make_model, const Loss& loss, const std::filesystem::path& path,
                       std::vector<Metric> metrics) {
  SavedModel saved = read_model(path);
  check_task("load_ensemble", path, loss.task(), saved.info.task);
  const auto has = [&](const std::string& member) {
    const auto found = saved.weights.parameters.lower_bound(member);
    return found != saved.weights.parameters.end() && found->first.starts_with(member);
  };
  Members members;
  Rng rng(0);  // the weights come from the file
  while (has(concat(member_prefix, members.size(), "."))) members.push_back(make_model(rng, nullptr));
  if (members.empty())
    fail<CheckpointError>("load_ensemble: '", path.string(),
                          "': want a file of Ensemble::save; got one of a single model: Trainer::load_model reads it");
  auto state = std::make_unique<Ensemble::State>(members, loss, std::move(saved.info), std::move(metrics));
  restore(state->model, saved.weights.parameters, saved.weights.buffers);
  return Ensemble(std::move(state));
}

}  // namespace handrail::train
