#include <algorithm>
#include <array>
#include <string_view>

#include <handrail/train/run/fix.h>

namespace handrail::train {
namespace {

struct Mend {
  std::string_view anomaly;
  std::vector<Fix> (*fixes)();
};

using namespace fixes;

std::vector<Fix> with_standard_inputs() { return {standardize_inputs()}; }
std::vector<Fix> with_other_weights() { return {initialize(), linear_outputs(), layer_norm()}; }
std::vector<Fix> with_shorter_paths() { return {fewer_layers(), layer_norm(), replace_activations(), initialize()}; }
std::vector<Fix> with_linear_outputs() { return {linear_outputs()}; }
std::vector<Fix> with_more_units() { return {widen()}; }
std::vector<Fix> without_dropout() { return {remove_dropout()}; }
std::vector<Fix> with_other_rate() { return {find_lr()}; }
std::vector<Fix> with_lower_rate() { return {find_lr(), lower_lr()}; }
std::vector<Fix> with_usual_optimizer() { return {default_optimizer()}; }
std::vector<Fix> with_usual_schedule() { return {default_schedule()}; }
std::vector<Fix> with_usual_stop() { return {early_stopping()}; }
std::vector<Fix> with_usual_monitor() { return {monitor_loss()}; }
std::vector<Fix> with_usual_decay() { return {weight_decay(0.01)}; }
std::vector<Fix> with_more_steps() { return {more_steps(), find_lr(), more_epochs()}; }

constexpr std::array<Mend, 48> mends{{
    {"coded_missing",
     [] {
       return std::vector{impute_inputs(), standardize_inputs()};
     }},
    {"mixed_units", with_standard_inputs},
    {"outliers", with_standard_inputs},
    {"input_scale", with_standard_inputs},
    {"target_scale", [] { return std::vector{scale_outputs()}; }},
    {"linear_after_linear", [] { return std::vector{insert_activations()}; }},
    {"activation_twice", [] { return std::vector{remove_repeated_activations()}; }},
    {"activation_before_loss", with_linear_outputs},
    {"output_range", with_linear_outputs},
    {"norm_on_output", with_linear_outputs},
    {"dropout_on_output", with_linear_outputs},
    {"initial_loss", with_other_weights},
    {"exploding_activations", with_other_weights},
    {"vanishing_activations", with_other_weights},
    {"saturated_units", with_other_weights},
    {"equal_units", with_other_weights},
    {"dead_at_start", with_other_weights},
    {"too_deep", with_shorter_paths},
    {"vanishing_gradient", with_shorter_paths},
    {"bottleneck", with_more_units},
    {"dropout_too_high", without_dropout},
    {"dropout_before_norm", without_dropout},
    {"batch_norm_momentum", [] { return std::vector{default_batch_norm()}; }},
    {"train_eval_gap", [] { return std::vector{default_batch_norm()}; }},
    {"class_imbalance", [] { return std::vector{balance_classes()}; }},
    {"small_batch_norm", [] { return std::vector{batch_size(32)}; }},
    {"not_trained", [] { return std::vector{unfreeze()}; }},
    {"lr_too_high", with_lower_rate},
    {"divergence", with_lower_rate},
    {"spike", with_lower_rate},
    {"dead_units", with_lower_rate},
    {"lr_too_low", with_other_rate},
    {"slow_progress", with_other_rate},
    {"momentum_too_high", with_usual_optimizer},
    {"adam_betas", with_usual_optimizer},
    {"adam_eps", with_usual_optimizer},
    {"weight_decay_too_high", with_usual_decay},
    {"clip_too_small", [] { return std::vector{clip_norm(1)}; }},
    {"too_few_steps", with_more_steps},
    {"still_improving", [] { return std::vector{more_epochs()}; }},
    {"limited_run", [] { return std::vector{no_limits()}; }},
    {"schedule_ends_early", with_usual_schedule},
    {"schedule_grows", with_usual_schedule},
    {"warmup_too_long", with_usual_schedule},
    {"patience_too_low", with_usual_stop},
    {"overfitting", with_usual_stop},
    {"monitor_mode", with_usual_monitor},
    {"monitor_constant", with_usual_monitor},
}};

}  // namespace

std::vector<Fix> fixes_for(std::string_view anomaly) {
  const auto row = std::ranges::find(mends, anomaly, &Mend::anomaly);
  return row == mends.end() ? std::vector<Fix>() : row->fixes();
}

}  // namespace handrail::train
