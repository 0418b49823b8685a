#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <handrail/train/data/dataset.h>
#include <handrail/train/data/model_info.h>
#include <handrail/train/metrics/evaluation.h>
#include <handrail/train/metrics/metric.h>
#include <handrail/train/run/loss.h>
#include <handrail/train/run/model_maker.h>
#include <handrail/train/run/options.h>
#include <handrail/train/run/result.h>

namespace handrail::train {

/// The options of fit_ensemble.
struct EnsembleOptions {
  Index members = 5;  // at least 1
};

/// Models that were trained with different seeds and predict together (Lakshminarayanan, Pritzel, Blundell 2017). The
/// prediction is the mean of their probabilities, which the softmax or the sigmoid of their outputs gives, or for a
/// regression the mean of their outputs. One thread at a time may use an ensemble.
class Ensemble {
 public:
  /// Takes over the members. The other ensemble has none then, and may only be destroyed or assigned to.
  Ensemble(Ensemble&&) noexcept;
  Ensemble& operator=(Ensemble&&) noexcept;
  ~Ensemble();

  /// The number of members.
  Index size() const;
  /// Returns the mean probabilities for all samples, [N, C] for Task::multiclass and of the shape of the targets for
  /// Task::binary; the mean outputs for Task::regression. Throws what Trainer::predict throws.
  Tensor predict(const Dataset& data) const;
  /// Returns the mean probabilities or outputs for the inputs [N, ...]. Nothing is normalised.
  Tensor predict(const Tensor& inputs) const;
  /// Computes loss, accuracy and metrics of the mean prediction. The loss and the metrics get logits of the mean
  /// probabilities, as they get logits of a single model. Throws what Trainer::evaluate throws.
  Evaluation evaluate(const Dataset& data) const;
  /// Writes one file with all members and what is needed to predict, for load_ensemble. Throws CheckpointError as
  /// save_weights does.
  void save(const std::filesystem::path& path) const;

  /// What the members need to predict besides their weights.
  const ModelInfo& model_info() const;
  /// The result of each fit, in the order of the members; empty when the ensemble was loaded.
  const std::vector<FitResult>& results() const;
  /// The diagnosis of all fits as text: one line for each name of an anomaly. Empty without anomalies.
  std::string diagnosis_text() const;
  /// The exit status for main: 128 + the number of the signal that ended fit_ensemble; otherwise 0.
  int exit_status() const;

 private:
  class Mixture;
  struct State;
  explicit Ensemble(std::unique_ptr<State> state);
  friend Ensemble fit_ensemble(const ModelMaker&, const Loss&, const TrainerOptions&, const Dataset&,
                               const EnsembleOptions&);
  friend Ensemble load_ensemble(const ModelMaker&, const Loss&, const std::filesystem::path&, std::vector<Metric>);

  std::unique_ptr<State> state_;
};

/// Trains models that predict together, each with other initial weights, batches and validation rows:
///
///   const auto make_model = [](Rng& rng) { return nn::Sequential{nn::Linear{4, 16, rng}, nn::ReLU{}, ...}; };
///   auto ensemble = train::fit_ensemble(make_model, cross_entropy, {.epochs = 100}, data, {.members = 5});
///   const Tensor probabilities = ensemble.predict(test);
///
/// Everything follows from options.seed: member k is what a Trainer with the seed derived_seed(options.seed, k) makes
/// of a model with an Rng of that seed. Raw data, such as a ByteDataset, is normalised by the constants of all its
/// rows, which the members share. The fits are made one after another and write no files. The sinks get a PartEnd for
/// each. options.max_seconds is for each fit. After SIGINT or SIGTERM the ensemble has the members that are complete,
/// or the one under way when there is none. Throws OptionError for members < 1 and for options that are wrong, and what
/// make_model and Trainer::fit throw.
Ensemble fit_ensemble(const ModelMaker& make_model, const Loss& loss, const TrainerOptions& options,
                      const Dataset& data, const EnsembleOptions& ensemble = {});

/// Reads a file of Ensemble::save. make_model: as for fit_ensemble, but of an Rng alone, as there is no training data:
/// nn::Standardize{features} takes its constants from the file. metrics: those of Ensemble::evaluate. Throws
/// CheckpointError for a file that is damaged, cannot be read or is not that of an ensemble, for a model with other
/// names or shapes, and for another task; OptionError when make_model needs data.
Ensemble load_ensemble(const ModelMaker& make_model, const Loss& loss, const std::filesystem::path& path,
                       std::vector<Metric> metrics = {});

}  // namespace handrail::train
