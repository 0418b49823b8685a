#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/core/tensor.h>
#include <handrail/nn/module.h>
#include <handrail/train/data/task.h>
#include <handrail/train/run/options.h>

namespace handrail::train {

/// What a fix of a model may look at.
struct FixContext {
  Tensor inputs, targets;  // training rows, at most 10,000
  Task task;               // that of the loss
  Rng& rng;                // for initial weights
};

/// A change of the options, of the model, or of both, that may help.
struct Fix {
  std::string name;                                  // such as "balance classes"
  std::function<void(TrainerOptions&)> change = {};  // `lr` in these options is the peak rate in use, given or found
  /// Changes the model before its training begins. Returns false, and changes nothing, when it has nothing to change.
  std::function<bool(nn::Module&, const FixContext&)> change_model = {};
  std::string anomaly = {};  // what it may mend, when it is from FitResult::fixes()
  /// Whether it changes which loss is minimised. Trainer::try_fix then measures both programs by the new loss, and
  /// TrainerOptions::repair leaves it out: what is wanted is for the program to say.
  bool changes_loss = false;
};

/// Fixes for Trainer::try_fix. Those that change layers are for a model that is an nn::Sequential, and leave others
/// alone; Sequentials in it become part of the one list of its layers.
namespace fixes {
/// Divides the peak learning rate by `factor`.
Fix lower_lr(double factor = 10);
/// Multiplies the peak learning rate by `factor`.
Fix higher_lr(double factor = 10);
/// Gives the rate back to the LR finder: sets lr = automatic. Its arm makes the sweep that fit makes.
Fix find_lr();
/// Sets clip_norm.
Fix clip_norm(double norm = 0.1);
/// Multiplies the warmup, or 5 % when it is off, by `factor`, up to half of the steps.
Fix longer_warmup(double factor = 2);
/// Sets weight_decay, and exempts biases and norms from it.
Fix weight_decay(double decay);
/// Sets batch_size, in samples.
Fix batch_size(Index size);
/// Sets accumulate_grad_batches to 1, and a batch_size above 32 to 32.
Fix more_steps();
/// Multiplies the epochs by `factor`.
Fix more_epochs(Index factor = 4);
/// Takes AdamW with its defaults, at the rate that the LR finder chooses.
Fix default_optimizer();
/// Sets decay and warmup to their defaults.
Fix default_schedule();
/// Sets balance_classes. It is measured by the balanced loss.
Fix balance_classes();
/// Takes off limit_train_batches, limit_val_batches, overfit_batches and max_seconds.
Fix no_limits();
/// Sets patience, improvement and restore_best to their defaults.
Fix early_stopping();
/// Monitors val_loss.
Fix monitor_loss();

/// Puts a robust nn::Standardize, fitted on training rows, before the first layer.
Fix standardize_inputs();
/// Puts the median of a column in the place of a number that stands for a missing value, such as -999, and then does
/// what standardize_inputs does.
Fix impute_inputs();
/// Puts an nn::Standardize of the targets, the other way round, behind the last layer of a regression.
Fix scale_outputs();
/// Draws weights and biases of all nn::Linear anew; norms get their initial values. For any model.
Fix initialize();
/// Puts a ReLU between linear layers that follow each other.
Fix insert_activations();
/// Takes out an activation that follows another one.
Fix remove_repeated_activations();
/// Takes out all layers behind the last nn::Linear.
Fix linear_outputs();
/// Replaces Sigmoid and Tanh by ReLU.
Fix replace_activations();
/// Puts a LayerNorm behind each hidden nn::Linear that no norm follows.
Fix layer_norm();
/// Takes out hidden linear layers, of as many outputs as inputs, until `hidden` are left, each with what follows it.
Fix fewer_layers(std::size_t hidden = 2);
/// Gives hidden linear layers of fewer units that many.
Fix widen(Index units = 64);
/// Takes out all Dropout layers.
Fix remove_dropout();
/// Gives each BatchNorm1d its default options.
Fix default_batch_norm();
/// Trains all parameters. For any model.
Fix unfreeze();
}  // namespace fixes

/// The fixes that may mend what an anomaly of this name tells of, the most likely first. Empty when the program has to
/// be changed by hand.
std::vector<Fix> fixes_for(std::string_view anomaly);

}  // namespace handrail::train
