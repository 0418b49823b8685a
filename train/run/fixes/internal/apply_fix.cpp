#include <handrail/train/run/fixes/internal/apply_fix.h>

#include <string>
#include <type_traits>
#include <vector>

#include <handrail/core/random.h>
#include <handrail/train/data/internal/data_part.h>

namespace handrail::train {
namespace {

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

bool change_model(const Fix& fix, const Program& program, const Rows& training_rows) {
  constexpr Index max_rows = 10'000;
  if (!fix.change_model) return false;
  const DataPart part{.rows = training_rows};
  const Rows sample = sample_rows(part, max_rows);
  const Batch rows = gather(part, sample.numbers());
  Rng rng(StreamKey{.seed = program.options.seed, .stream = Stream::init});
  return fix.change_model(program.model, {rows.inputs, rows.targets, program.info.task, rng});
}

bool apply_fix(const Fix& fix, const Program& program, const Rows& training_rows, double lr, RateAfterFix rate) {
  const bool changed = change_model(fix, program, training_rows);
  if (fix.change_model && !changed && !fix.change) return false;
  return change_options(fix, program.options, lr, rate) || changed || rate == RateAfterFix::in_use;
}

}  // namespace handrail::train
