#include <algorithm>

#include <handrail/train/files/text.h>
#include <handrail/train/run/fix.h>

namespace handrail::train::fixes {
namespace {

// Made when a fix is applied, and not when a program starts: the options hold the console.
const TrainerOptions& defaults() {
  static const TrainerOptions options{.epochs = 1};
  return options;
}

void leave_rate_to_finder(TrainerOptions& o) {
  o.lr = defaults().lr;
  o.lr_scaling = defaults().lr_scaling;
}

}  // namespace

Fix lower_lr(double factor) {
  return {concat("lr/", factor), [factor](TrainerOptions& o) { o.lr = *o.lr / factor; }};
}
Fix higher_lr(double factor) {
  return {concat("lr*", factor), [factor](TrainerOptions& o) { o.lr = *o.lr * factor; }};
}
Fix find_lr() { return {"find_lr", leave_rate_to_finder}; }
Fix clip_norm(double norm) {
  return {concat("clip ", norm), [norm](TrainerOptions& o) { o.clip_norm = norm; }};
}
Fix longer_warmup(double factor) {
  return {concat("warmup*", factor), [factor](TrainerOptions& o) {
            o.warmup = std::min(0.5, o.warmup.value_or(0.05) * factor);
            o.check_warmup = off;
          }};
}
Fix weight_decay(double decay) {
  return {concat("decay ", decay), [decay](TrainerOptions& o) {
            o.weight_decay = decay;
            o.decay_exempt = defaults().decay_exempt;
          }};
}
Fix batch_size(Index size) {
  return {concat("batch ", size), [size](TrainerOptions& o) { o.batch_size = size; }};
}
Fix more_steps() {
  return {"more steps", [](TrainerOptions& o) {
            o.accumulate_grad_batches = defaults().accumulate_grad_batches;
            o.batch_size = std::min(o.batch_size, defaults().batch_size);
          }};
}
Fix more_epochs(Index factor) {
  return {concat("epochs*", factor), [factor](TrainerOptions& o) { o.epochs *= factor; }};
}
Fix default_optimizer() {
  return {"AdamW", [](TrainerOptions& o) {
            o.optimizer = defaults().optimizer;
            leave_rate_to_finder(o);
          }};
}
Fix default_schedule() {
  return {"default schedule", [](TrainerOptions& o) {
            o.decay = defaults().decay;
            o.warmup = defaults().warmup;
            o.check_warmup = defaults().check_warmup;
          }};
}
Fix balance_classes() {
  return {
      .name = "balance classes", .change = [](TrainerOptions& o) { o.balance_classes = true; }, .changes_loss = true};
}
Fix no_limits() {
  return {"no limits", [](TrainerOptions& o) {
            if (o.overfit_batches) {  // it has turned these off
              o.patience = defaults().patience;
              o.restore_best = defaults().restore_best;
            }
            o.limit_train_batches = o.limit_val_batches = o.overfit_batches = off;
            o.max_seconds = off;
          }};
}
Fix early_stopping() {
  return {"early stopping", [](TrainerOptions& o) {
            o.patience = defaults().patience;
            o.improvement = defaults().improvement;
            o.restore_best = defaults().restore_best;
          }};
}
Fix monitor_loss() {
  return {"monitor val_loss", [](TrainerOptions& o) {
            o.monitor = defaults().monitor;
            o.mode = defaults().mode;
          }};
}

}  // namespace handrail::train::fixes
