#include <algorithm>
#include <cmath>

#include <handrail/nn/init.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>
#include <handrail/train/run/fix.h>

namespace handrail::train::fixes {
namespace {

// The initial values of the module itself; false when it is of another kind.
bool initialize_one(const nn::Module& module, Rng& rng) {
  if (const auto* linear = dynamic_cast<const nn::Linear*>(&module)) {
    const double bound = 1 / std::sqrt(static_cast<double>(linear->weight.shape()[0]));
    nn::init::uniform(linear->weight, rng, -bound, bound);
    if (linear->bias.defined()) nn::init::uniform(linear->bias, rng, -bound, bound);
    return true;
  }
  const auto reset = [](const auto& norm) {
    std::ranges::fill(norm.weight.mutable_span(), Scalar(1));
    std::ranges::fill(norm.bias.mutable_span(), Scalar(0));
    return true;
  };
  if (const auto* norm = dynamic_cast<const nn::LayerNorm*>(&module)) return reset(*norm);
  if (const auto* norm = dynamic_cast<const nn::BatchNorm1d*>(&module)) return reset(*norm);
  return false;
}

}  // namespace

Fix initialize() {
  return {.name = "initialize", .change_model = [](nn::Module& model, const FixContext& context) {
            bool changed = false;
            for (const nn::Module* module : model.modules()) changed = initialize_one(*module, context.rng) || changed;
            return changed;
          }};
}
Fix unfreeze() {
  return {.name = "unfreeze", .change_model = [](nn::Module& model, const FixContext&) {
            const auto parameters = model.parameters();
            const bool changed =
                !std::ranges::all_of(parameters, [](const Parameter& p) { return p.tensor.requires_grad(); });
            model.unfreeze();
            return changed;
          }};
}

}  // namespace handrail::train::fixes
