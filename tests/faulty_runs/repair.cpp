// Repair of mechanical faults, against a random search over options of the same cost.
#include <algorithm>
#include <cstdio>
#include <map>

#include "campaign.h"

namespace faulty_runs {
namespace {

constexpr Index max_fits = 5;    // further ones, of repair
constexpr double margin = 0.02;  // of accuracy or R2
constexpr double limit_seconds = 300;

struct Case {
  const Fault* fault;
  const TaskKind* task;
  std::uint64_t seed;
  std::size_t healthy;  // the number of its job
};

struct Counts {
  int harmful = 0, repaired = 0, searched = 0;
  Index fits = 0;
  std::map<std::string, int> kept = {};
};

bool mends(const Outcome& run, const Outcome& healthy) {
  return run.end == End::trained && run.score >= healthy.score - margin;
}

void print_row(const std::string& name, const Counts& counts) {
  std::string kept;
  for (const auto& [fixes, count] : counts.kept)
    kept += (kept.empty() ? "" : "; ") + (fixes.empty() ? "nothing" : fixes) + " " + std::to_string(count);
  std::printf("%-36s %7d %9d %13d %5.1f  %s\n", name.c_str(), counts.harmful, counts.repaired, counts.searched,
              static_cast<double>(counts.fits) / std::max(1, counts.harmful), kept.c_str());
}

}  // namespace

const std::vector<std::string>& mechanical_faults() {
  static const std::vector<std::string> names{
      "missing_as_minus_999", "missing_as_99", "missing_as_999_standardised", "outlier_rows", "outlier_cells",
      "raw_inputs", "one_large_column", "tiny_inputs", "large_targets", "tiny_targets",
      // the model
      "no_activations", "activation_forgotten_once", "sigmoid_twice", "relu_twice", "bottleneck_of_one",
      "two_hidden_units", "sixteen_relu_layers", "eight_sigmoid_layers", "zero_weights", "equal_weights",
      "weights_too_large", "weights_too_small", "uniform_0_to_1", "saturated_tanh", "dead_by_bias",
      "dead_by_negative_weights", "all_but_last_frozen", "first_layer_frozen",
      // its layers
      "dropout_of_95_percent", "keep_and_drop_exchanged", "dropout_on_inputs", "dropout_on_outputs",
      "dropout_before_norm", "batch_norm_of_two_rows", "running_statistics_never_move", "momentum_of_keras",
      "norm_on_the_output", "norm_over_features_of_one",
      // its outputs
      "softmax_before_cross_entropy", "softmax_by_hand", "log_softmax_before_cross_entropy",
      "sigmoid_before_cross_entropy", "relu_on_logits", "relu_output_for_negative_targets",
      "sigmoid_output_for_wide_targets", "tanh_output_for_wide_targets", "logits_times_100", "logits_over_1000",
      // the options
      "lr_of_10", "lr_of_1", "lr_of_a_tenth", "lr_of_1_without_guards", "lr_of_0_03_without_decay", "lr_of_1e_4",
      "lr_of_1e_5", "lr_of_1e_7", "sgd_with_rate_of_adam", "sgd_lr_of_10", "linear_scaling_with_adam",
      "momentum_of_0_999", "betas_exchanged", "beta1_of_0_9999", "eps_of_1", "weight_decay_of_10",
      "weight_decay_of_1_in_adam", "decay_of_biases", "clip_norm_of_1e_6", "clip_norm_of_1e_4_with_adam",
      "outliers_without_clipping", "whole_set_as_batch", "accumulates_64_batches", "one_epoch",
      "two_epochs_at_a_low_rate", "limit_train_batches_left_on", "overfit_batches_left_on", "max_seconds_left_on",
      "warmup_of_95_percent", "warmup_of_half", "patience_of_one", "own_metric_is_minimised",
      "constant_metric_monitored"};
  return names;
}

void run_repair_campaign(const Settings& s) {
  std::vector<Job> jobs;
  std::vector<Case> cases;
  std::map<std::pair<const TaskKind*, std::uint64_t>, std::size_t> healthy;
  const auto& mechanical = mechanical_faults();
  for (const Fault* fault : wanted_faults(s)) {
    if (std::ranges::find(mechanical, fault->name) == mechanical.end()) continue;
    for (const TaskKind* task : wanted_tasks(s))
      for (std::uint64_t seed = s.first_seed; fits(*fault, task->kind) && seed < s.first_seed + s.seeds; ++seed) {
        const auto [it, is_new] = healthy.try_emplace({task, seed}, jobs.size());
        if (is_new) jobs.emplace_back([=] { return healthy_program(task->draw(seed), seed, false); });
        cases.push_back({fault, task, seed, it->second});
      }
  }
  const std::size_t first = jobs.size();
  const auto program_of = [](const Case& c) { return faulty_program(*c.task, c.seed, {c.fault}); };
  for (const Case& c : cases) jobs.emplace_back([=] { return program_of(c); });
  const std::vector<Outcome> before = run_apart(jobs, s.processes, limit_seconds);
  std::erase_if(cases, [&, i = first](const Case& c) mutable {
    const Outcome& run = before[i++];
    return run.end != End::trained || !is_harmful(Harm::score, run, before[c.healthy]);
  });

  std::vector<Job> repairs, searches;
  for (const Case& c : cases)
    repairs.emplace_back([=] {
      Program program = program_of(c);
      program.options.repair = max_fits;
      return program;
    });
  const std::vector<Outcome> repaired = run_apart(repairs, s.processes, limit_seconds);
  for (std::size_t i = 0; i < cases.size(); ++i)
    searches.emplace_back([=, c = cases[i], salt = 100 + i, budget = std::max<Index>(1, repaired[i].further_fits)] {
      Program program = program_of(c);
      program.random_search = budget;
      program.search_salt = salt;
      return program;
    });
  const std::vector<Outcome> searched = run_apart(searches, s.processes, limit_seconds);

  std::printf("%-36s %7s %9s %13s %5s  %s\n", "fault", "harmful", "repaired", "random search", "fits", "kept");
  Counts all;
  for (std::size_t i = 0; i < cases.size();) {
    const Fault* fault = cases[i].fault;
    Counts counts;
    for (; i < cases.size() && cases[i].fault == fault; ++i) {
      const Outcome& usual = before[cases[i].healthy];
      ++counts.harmful;
      counts.repaired += mends(repaired[i], usual) ? 1 : 0;
      counts.searched += mends(searched[i], usual) ? 1 : 0;
      counts.fits += repaired[i].further_fits;
      ++counts.kept[repaired[i].kept];
      if (s.verbose)
        std::printf("%s, %s %d: healthy %.3f, repaired %.3f in %d fits (%s), random search %.3f\n%s%s%s\n",
                    fault->name.c_str(), cases[i].task->name.c_str(), static_cast<int>(cases[i].seed), usual.score,
                    repaired[i].score, static_cast<int>(repaired[i].further_fits), repaired[i].kept.c_str(),
                    searched[i].score, repaired[i].attempts.c_str(), repaired[i].text.c_str(),
                    repaired[i].error.c_str());
    }
    print_row(fault->name, counts);
    all.harmful += counts.harmful;
    all.repaired += counts.repaired;
    all.searched += counts.searched;
    all.fits += counts.fits;
  }
  print_row("all", all);
  std::printf("repaired %.1f %%, random search %.1f %%\n", 100.0 * all.repaired / std::max(1, all.harmful),
              100.0 * all.searched / std::max(1, all.harmful));
}

}  // namespace faulty_runs
