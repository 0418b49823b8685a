#include <handrail/train/run/fixes/internal/apply_fix.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include <handrail/core/random.h>

namespace handrail::train {
namespace {

Batch rows_to_look_at(const Rows& rows) {
  constexpr Index max_rows = 10'000;
  const Index count = std::min(max_rows, rows.size());
  std::vector<Index> numbers;
  for (Index i = 0; i < count; ++i)
    numbers.push_back(rows.numbers()[static_cast<std::size_t>(i * rows.size() / count)]);
  const Batch batch = empty_batch(rows.dataset(), count);
  rows.dataset().gather(numbers, batch);
  return batch;
}

// All options that have a text, and whether an optimizer is given.
std::vector<std::string> texts_of(const TrainerOptions& options) {
  std::vector<std::string> texts{options.optimizer ? "given" : ""};
  visit_options(options, [&texts](const OptionInfo&, const auto& value) {
    if constexpr (TextOption<std::remove_cvref_t<decltype(value)>>) texts.push_back(option_text(value));
  });
  return texts;
}

// Returns whether an option has changed.
bool change_options(const Fix& fix, TrainerOptions& options, double lr, RateAfterFix rate) {
  const std::vector<std::string> before = texts_of(options);
  const OrAuto<double> given = options.lr;
  const LrScaling scaling = options.lr_scaling;
  options.lr = lr;  // not scaled again
  options.lr_scaling = LrScaling::none;
  if (fix.change) fix.change(options);
  if (rate == RateAfterFix::as_before && options.lr && *options.lr == lr) {
    options.lr = given;
    options.lr_scaling = scaling;
  }
  validate(options);
  return texts_of(options) != before;
}

}  // namespace

bool apply_fix(const Fix& fix, const Program& program, const Rows& training_rows, double lr, RateAfterFix rate) {
  bool changed = false;
  if (fix.change_model) {
    const Batch rows = rows_to_look_at(training_rows);
    Rng rng(StreamKey{.seed = program.options.seed, .stream = Stream::init});
    changed = fix.change_model(program.model, {rows.inputs, rows.targets, program.info.task, rng});
    if (!changed && !fix.change) return false;
  }
  return change_options(fix, program.options, lr, rate) || changed || rate == RateAfterFix::in_use;
}

}  // namespace handrail::train
