#include <handrail/train/run/try_fix.h>

#include <array>
#include <cstdio>

#include <handrail/train/files/text.h>

namespace handrail::train {

std::string TryFixResult::text() const {
  std::string text =
      "arm              train before  after     validation before  after     difference (95 % interval)\n";
  for (const TryFixArm& arm : arms) {
    if (!arm.applies) {
      text += arm.name + ": has nothing to change in this model\n";
      continue;
    }
    const auto signed_form = [](double value) { return concat(value < 0 ? "" : "+", four_digits(value)); };
    std::array<char, 300> line;
    std::snprintf(line.data(), line.size(), "%-16s %12s  %-9s %17s  %-9s %s (%s to %s)%s\n", arm.name.c_str(),
                  four_digits(arm.train_before).c_str(), four_digits(arm.train_after).c_str(),
                  four_digits(arm.validation_before).c_str(), four_digits(arm.validation_after).c_str(),
                  signed_form(arm.difference).c_str(), signed_form(arm.difference_low).c_str(),
                  signed_form(arm.difference_high).c_str(), arm.finite ? "" : ", steps were skipped");
    text += line.data();
  }
  if (restarted) text += "the arms began with the weights from before the last fit\n";
  if (kept.empty()) return text + "no fix is a statistically significant improvement: the options are unchanged\n";
  return text + "kept: " + kept + (restarted ? ", and the model has these weights\n" : "\n");
}

}  // namespace handrail::train
