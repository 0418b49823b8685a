#include <handrail/train/report/internal/explanations.h>

#include <algorithm>
#include <array>

namespace handrail::train {
namespace {

// Effects that come together. A cause has one or two of these groups, and names of its own.
constexpr std::array<std::string_view, 9> stall_names{"overfit_batch",   "no_usable_lr",  "lr_too_low",
                                                      "slow_progress",   "plateau",       "vanishing_gradient",
                                                      "still_improving", "too_few_steps", "no_better_than_baseline"};
constexpr std::array<std::string_view, 8> blows_up{"divergence",  "spike",       "dead_units", "exploding_gradient",
                                                   "lr_too_high", "oscillation", "non_finite", "clip_pressure"};
constexpr std::array<std::string_view, 6> starts_badly{"exploding_activations", "saturated_units",
                                                       "dead_at_start",         "initial_loss",
                                                       "wrong_gradient",        "vanishing_activations"};
constexpr std::array<std::string_view, 4> is_dead{"zero_gradient", "inputs_ignored", "targets_ignored", "dead_units"};
constexpr std::array<std::string_view, 4> generalises_badly{"overfitting", "no_better_than_baseline", "below_chance",
                                                            "label_noise"};

using Group = std::span<const std::string_view>;

struct Explanation {
  std::string_view cause;
  std::array<Group, 4> effects;
};

constexpr std::array<std::string_view, 3> outlier_names{"outliers", "input_scale", "target_scale"};
constexpr std::array<std::string_view, 2> reach{"unreached", "not_trained"};
constexpr std::array<std::string_view, 3> part_names{"missing_class", "small_training_set", "small_validation_set"};
constexpr std::array<std::string_view, 3> drifts{"validation_drift", "target_drift", "labels_recoded"};
constexpr std::array<std::string_view, 2> mixes{"rows_mixed", "sum_loss"};

constexpr std::array<std::string_view, 2> repeats{"repeated_rows", "near_duplicates"};

constexpr std::array<Explanation, 41> explanations{{
    {"coded_missing", {stall_names, blows_up, starts_badly, outlier_names}},
    {"mixed_units", {stall_names, blows_up, starts_badly, outlier_names}},
    {"outliers", {stall_names, blows_up, starts_badly, outlier_names}},
    {"large_offset", {stall_names, blows_up, starts_badly, outlier_names}},
    {"input_scale", {stall_names, blows_up, starts_badly}},
    {"target_scale", {stall_names, blows_up, starts_badly}},
    {"dead_at_start", {stall_names, is_dead}},
    {"zero_gradient", {stall_names, is_dead}},
    {"inputs_ignored", {stall_names, generalises_badly}},
    {"equal_units", {stall_names, is_dead, generalises_badly}},
    {"saturated_units", {stall_names, is_dead, blows_up, starts_badly}},
    {"exploding_activations", {stall_names, is_dead, blows_up, starts_badly}},
    {"vanishing_activations", {stall_names, is_dead, starts_badly}},
    {"too_deep", {stall_names, is_dead, starts_badly}},
    {"bottleneck", {stall_names, is_dead, starts_badly}},
    {"unregistered", {stall_names, reach}},
    {"unreached", {stall_names, reach}},
    {"not_trained", {stall_names, reach}},
    {"wrong_gradient", {stall_names, blows_up, generalises_badly}},
    {"activation_before_loss", {stall_names, blows_up, is_dead}},
    {"output_range", {stall_names, blows_up, is_dead}},
    {"broadcast_loss", {stall_names, mixes, generalises_badly}},
    {"sum_loss", {stall_names, blows_up}},
    {"loss_sign", {stall_names, blows_up, generalises_badly}},
    {"targets_ignored", {stall_names, blows_up, generalises_badly}},
    {"lr_too_high", {stall_names, blows_up, generalises_badly}},
    {"lr_too_low", {stall_names}},
    {"limited_run", {stall_names, part_names, generalises_badly}},
    {"schedule_ends_early", {stall_names}},
    {"weight_decay_too_high", {stall_names, generalises_badly}},
    {"small_batch_norm", {stall_names, blows_up, generalises_badly}},
    {"columns_permuted", {drifts, generalises_badly}},
    {"validation_drift", {drifts, generalises_badly}},
    {"dropout_too_high", {stall_names, is_dead}},
    {"duplicate_rows", {repeats}},
    {"small_training_set", {part_names, generalises_badly}},
    {"labels_shuffled", {stall_names, generalises_badly}},
    {"labels_shifted", {stall_names, generalises_badly}},
    {"momentum_too_high", {stall_names, blows_up, generalises_badly}},
    {"adam_betas", {stall_names, blows_up, generalises_badly}},
    {"adam_eps", {stall_names, generalises_badly}},
}};

}  // namespace

bool explains(std::string_view cause, std::string_view effect) {
  const auto row = std::ranges::find(explanations, cause, &Explanation::cause);
  return row != explanations.end() && cause != effect && std::ranges::any_of(row->effects, [effect](Group group) {
           return std::ranges::find(group, effect) != group.end();
         });
}

}  // namespace handrail::train
