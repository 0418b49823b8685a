#include <handrail/train/run/try_fix.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {

namespace fixes {

Fix lower_lr(double factor) {
  return {concat("lr/", factor), [factor](TrainerOptions& o) { o.lr = *o.lr / factor; }};
}
Fix higher_lr(double factor) {
  return {concat("lr*", factor), [factor](TrainerOptions& o) { o.lr = *o.lr * factor; }};
}
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
  return {concat("decay ", decay), [decay](TrainerOptions& o) { o.weight_decay = decay; }};
}
Fix batch_size(Index size) {
  return {concat("batch ", size), [size](TrainerOptions& o) { o.batch_size = size; }};
}
Fix find_lr() {
  return {"find_lr", [](TrainerOptions& o) {
            o.lr = automatic;
            o.lr_scaling = LrScaling::automatic;
          }};
}

}  // namespace fixes

std::string TryFixResult::text() const {
  std::string text =
      "arm              train before  after     validation before  after     difference (95 % interval)\n";
  for (const TryFixArm& arm : arms) {
    const auto signed_form = [](double value) { return concat(value < 0 ? "" : "+", four_digits(value)); };
    std::array<char, 300> line;
    std::snprintf(line.data(), line.size(), "%-16s %12s  %-9s %17s  %-9s %s (%s to %s)%s\n", arm.name.c_str(),
                  four_digits(arm.train_before).c_str(), four_digits(arm.train_after).c_str(),
                  four_digits(arm.validation_before).c_str(), four_digits(arm.validation_after).c_str(),
                  signed_form(arm.difference).c_str(), signed_form(arm.difference_low).c_str(),
                  signed_form(arm.difference_high).c_str(), arm.finite ? "" : ", steps were skipped");
    text += line.data();
  }
  if (restarted) text += "the arms began with the weights from before the last fit, because it failed\n";
  if (kept.empty()) return text + "no fix is a statistically significant improvement: the options are unchanged\n";
  return text + "kept: " + kept + (restarted ? ", and the model has these weights\n" : "\n");
}

}  // namespace handrail::train
