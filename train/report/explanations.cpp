#include <handrail/train/report/internal/explanations.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

namespace handrail::train {
namespace {

// Effects that come together. A cause has some of these groups, and names of its own.
constexpr std::array<std::string_view, 9> stall_names{"overfit_batch",
                                                      "no_usable_lr",
                                                      "lr_too_low",
                                                      "slow_progress",
                                                      "plateau",
                                                      "vanishing_gradient",
                                                      "still_improving",
                                                      "no_better_than_baseline",
                                                      "model_worse_than_linear"};
constexpr std::array<std::string_view, 8> blows_up{"divergence",  "spike",       "dead_units", "exploding_gradient",
                                                   "lr_too_high", "oscillation", "non_finite", "clip_pressure"};
constexpr std::array<std::string_view, 6> starts_badly{"exploding_activations", "saturated_units",
                                                       "dead_at_start",         "initial_loss",
                                                       "wrong_gradient",        "vanishing_activations"};
constexpr std::array<std::string_view, 5> is_dead{"zero_gradient", "inputs_ignored", "targets_ignored", "dead_units",
                                                  "vanishing_gradient"};
constexpr std::array<std::string_view, 3> no_gradient{"zero_gradient", "dead_units", "vanishing_gradient"};
constexpr std::array<std::string_view, 4> generalises_badly{"overfitting", "no_better_than_baseline", "below_chance",
                                                            "model_worse_than_linear"};

using Group = std::span<const std::string_view>;

struct Explanation {
  std::string_view cause;
  std::array<Group, 5> effects;
};

constexpr std::array<std::string_view, 3> outlier_names{"outliers", "input_scale", "target_scale"};
// What large inputs do to a model before the first step.
constexpr std::array<std::string_view, 3> of_large_inputs{"saturated_units", "dead_at_start", "initial_loss"};
// What weights that are far too large do, whatever the rate is: a rate that is wrong too has names of its own.
constexpr std::array<std::string_view, 6> of_large_weights{"overfit_batch",      "no_usable_lr", "exploding_gradient",
                                                           "vanishing_gradient", "plateau",      "clip_pressure"};
constexpr std::array<std::string_view, 2> reach{"unreached", "not_trained"};
constexpr std::array<std::string_view, 6> of_few_rows{"missing_class", "small_validation_set",
                                                      "too_few_steps", "no_better_than_baseline",
                                                      "label_noise",   "columns_permuted"};
constexpr std::array<std::string_view, 2> drifts{"validation_drift", "labels_recoded"};
constexpr std::array<std::string_view, 3> of_sorted_rows{"validation_drift", "missing_class", "columns_permuted"};
constexpr std::array<std::string_view, 3> of_no_gradient{"targets_ignored", "dead_units", "vanishing_gradient"};
constexpr std::array<std::string_view, 2> mixes{"rows_mixed", "sum_loss"};
constexpr std::array<std::string_view, 3> of_mixed_rows{"loss_mismatch", "rows_ignored", "loss_sign"};
constexpr std::array<std::string_view, 3> fades{"dead_units", "below_chance", "class_collapse"};
constexpr std::array<std::string_view, 1> small{"model_too_small"};
constexpr std::array<std::string_view, 1> pressed{"clip_pressure"};
constexpr std::array<std::string_view, 1> gap{"train_eval_gap"};
constexpr std::array<std::string_view, 1> few_steps{"too_few_steps"};  // not for a model that fits its training rows
constexpr std::array<std::string_view, 1> noisy{"label_noise"};
constexpr std::array<std::string_view, 1> no_gain{"no_better_than_baseline"};
constexpr std::array<std::string_view, 1> one_class{"constant_targets"};
constexpr std::array<std::string_view, 2> repeats{"repeated_rows", "near_duplicates"};
constexpr std::array<std::string_view, 3> of_conflicts{"repeated_rows", "near_duplicates", "two_regimes"};
constexpr std::array<std::string_view, 2> unrelated{"labels_shuffled", "label_noise"};

constexpr std::array<std::string_view, 5> of_unstable_rows{"conflicting_labels", "duplicate_rows", "near_duplicates",
                                                           "labels_shuffled", "label_noise"};
constexpr std::array<std::string_view, 1> shares{"target_drift"};
constexpr std::array<std::string_view, 3> unpredictable{"slow_progress", "no_usable_lr", "plateau"};
constexpr std::array<std::string_view, 1> clipped_rows{"duplicate_rows"};
constexpr std::array<std::string_view, 1> no_neighbours{"labels_shuffled"};
constexpr std::array<std::string_view, 2> of_filled_rows{"conflicting_labels", "duplicate_rows"};
constexpr std::array<std::string_view, 2> of_equal_units{"vanishing_activations", "initial_loss"};

// A step that scales its inputs, where evaluation does not: the data as they are tell nothing.
constexpr std::array<std::string_view, 1> scaled_in_step{"input_scale"};
constexpr std::array<std::string_view, 1> of_no_targets{"loss_sign"};
constexpr std::array<std::string_view, 2> of_noise{"rows_mixed", "wrong_gradient"};
constexpr std::array<std::string_view, 1> of_norm{"activation_before_loss"};

constexpr Explanation explanations[] = {
    {"coded_missing", {stall_names, blows_up, of_large_inputs, outlier_names, of_filled_rows}},
    {"mixed_units", {stall_names, blows_up, of_large_inputs, outlier_names}},
    {"outliers", {stall_names, blows_up, of_large_inputs, outlier_names}},
    {"large_offset", {stall_names, blows_up, of_large_inputs, outlier_names}},
    {"input_scale", {stall_names, blows_up, of_large_inputs}},
    {"target_scale", {stall_names, blows_up, of_large_inputs}},
    {"scrambled_inputs", {stall_names, unrelated, generalises_badly}},
    {"noise_columns", {stall_names, unrelated, generalises_badly}},
    {"dead_at_start", {stall_names, is_dead}},
    {"zero_gradient", {stall_names, of_no_gradient}},
    {"inputs_ignored", {stall_names, no_gradient, generalises_badly}},
    {"equal_units", {stall_names, is_dead, generalises_badly, of_equal_units}},
    {"saturated_units", {stall_names, is_dead, blows_up, starts_badly}},
    {"exploding_activations", {of_large_weights, starts_badly, generalises_badly}},
    {"vanishing_activations", {stall_names, is_dead, starts_badly}},
    {"linear_after_linear", {stall_names, small, generalises_badly}},
    {"model_too_small", {stall_names, generalises_badly}},
    {"too_deep", {stall_names, is_dead, starts_badly}},
    {"bottleneck", {stall_names, is_dead, starts_badly}},
    {"unregistered", {stall_names, reach}},
    {"unreached", {stall_names, reach}},
    {"not_trained", {stall_names, reach}},
    {"wrong_gradient", {stall_names, blows_up, generalises_badly}},
    {"activation_before_loss", {stall_names, blows_up, is_dead}},
    {"output_range", {stall_names, blows_up, is_dead, starts_badly}},
    {"rows_ignored", {stall_names, blows_up, generalises_badly}},
    {"rows_mixed", {stall_names, blows_up, generalises_badly, of_mixed_rows}},
    {"loss_mismatch", {stall_names, blows_up, generalises_badly}},
    {"broadcast_loss", {stall_names, mixes, generalises_badly}},
    {"sum_loss", {stall_names, blows_up}},
    {"loss_sign", {stall_names, blows_up, generalises_badly}},
    {"targets_ignored", {stall_names, blows_up, generalises_badly, of_no_targets}},
    {"lr_too_high", {stall_names, blows_up, generalises_badly}},
    {"lr_too_low", {stall_names}},
    {"too_few_steps", {stall_names}},
    {"limited_run", {stall_names, noisy, generalises_badly}},
    {"schedule_ends_early", {stall_names}},
    {"weight_decay_too_high", {stall_names, generalises_badly, fades}},
    {"clip_too_small", {stall_names, generalises_badly, fades, pressed}},
    {"small_batch_norm", {stall_names, blows_up, generalises_badly, starts_badly}},
    {"columns_permuted", {drifts, generalises_badly}},
    {"validation_drift", {drifts, generalises_badly}},
    {"target_drift", {of_sorted_rows, generalises_badly, no_neighbours}},
    {"dropout_too_high", {stall_names, is_dead}},
    {"duplicate_rows", {repeats}},
    {"missing_class", {one_class}},
    {"class_imbalance", {no_gain}},
    {"small_training_set", {of_few_rows}},
    {"labels_shuffled", {stall_names, unrelated, generalises_badly}},
    {"labels_shifted", {stall_names, unrelated, generalises_badly}},
    {"momentum_too_high", {stall_names, blows_up, generalises_badly}},
    {"adam_betas", {stall_names, blows_up, generalises_badly}},
    {"adam_eps", {stall_names, generalises_badly}},
    {"weights_overwritten", {stall_names, blows_up, generalises_badly}},
    {"train_eval_gap", {generalises_badly, scaled_in_step}},
    {"random_evaluation", {of_noise}},
    {"norm_on_output", {of_norm}},
    {"batch_norm_momentum", {generalises_badly, gap}},
    {"model_too_large", {few_steps}},
    {"unstable_data", {stall_names, of_unstable_rows, generalises_badly}},
    {"labels_recoded", {shares, generalises_badly}},
    {"coded_category", {stall_names, generalises_badly}},
    {"truncated_columns", {stall_names, generalises_badly, clipped_rows}},
    {"two_regimes", {stall_names, unrelated, generalises_badly}},
    {"conflicting_labels", {of_conflicts, unpredictable}},
    {"initial_loss", {blows_up}},
    {"loss_scale", {blows_up}},
    {"gradients_accumulate", {stall_names, blows_up}},
};

constexpr std::array<std::string_view, 13> of_columns{
    "coded_missing",     "mixed_units",    "outliers",      "large_offset",     "constant_columns",
    "duplicate_columns", "coded_category", "noise_columns", "scrambled_inputs", "truncated_columns",
    "input_scale",       "target_scale",   "noisy_inputs"};
constexpr std::array<std::string_view, 12> of_targets{"constant_targets",   "truncated_targets", "repeated_target",
                                                      "conflicting_labels", "labels_shifted",    "labels_recoded",
                                                      "labels_shuffled",    "label_noise",       "missing_class",
                                                      "class_imbalance",    "loss_mismatch",     "two_regimes"};
constexpr std::array<std::string_view, 10> of_split{
    "small_training_set", "small_validation_set", "duplicate_rows", "near_duplicates", "validation_drift",
    "target_drift",       "columns_permuted",     "no_validation",  "sorted_rows",     "repeated_rows"};
constexpr std::array<std::string_view, 20> of_model{"linear_after_linear",
                                                    "activation_twice",
                                                    "bottleneck",
                                                    "too_deep",
                                                    "dropout_too_high",
                                                    "dropout_on_output",
                                                    "norm_on_output",
                                                    "small_batch_norm",
                                                    "equal_units",
                                                    "saturated_units",
                                                    "dead_at_start",
                                                    "train_eval_gap",
                                                    "zero_gradient",
                                                    "wrong_gradient",
                                                    "exploding_activations",
                                                    "unregistered",
                                                    "random_evaluation",
                                                    "vanishing_activations",
                                                    "not_trained",
                                                    "inputs_ignored"};
constexpr std::array<std::string_view, 13> of_settings{
    "momentum_too_high", "adam_betas",          "adam_eps",        "weight_decay_too_high", "clip_too_small",
    "schedule_grows",    "schedule_ends_early", "warmup_too_long", "too_few_steps",         "limited_run",
    "lr_too_high",       "lr_too_low",          "monitor_constant"};
constexpr std::array<Group, 5> subjects{of_columns, of_targets, of_split, of_model, of_settings};

bool contains(Group group, std::string_view name) { return std::ranges::find(group, name) != group.end(); }

}  // namespace

bool is_of_targets(std::string_view name) { return contains(of_targets, name); }

bool share_a_subject(std::string_view a, std::string_view b) {
  return std::ranges::any_of(subjects, [&](Group names) { return contains(names, a) && contains(names, b); });
}

bool explains(std::string_view cause, std::string_view effect) {
  const auto row = std::ranges::find(explanations, cause, &Explanation::cause);
  return row != std::end(explanations) && cause != effect &&
         std::ranges::any_of(row->effects, [effect](Group group) { return contains(group, effect); });
}

}  // namespace handrail::train
