// What a run tells of itself before its first step.
#include <algorithm>
#include <iterator>
#include <optional>
#include <string>

#include <handrail/core/error.h>
#include <handrail/train/lr/lr_scaling.h>
#include <handrail/train/run/internal/preflight/standardise.h>
#include <handrail/train/run/internal/run.h>
#include <handrail/train/run/summary.h>

namespace handrail::train {

void Run::send_fit_start() {
  const bool finds_lr = !setup_.options.lr && !resumed_ && !setup_.options.fast_dev_run;
  const Plan plan{.model = setup_.model,
                  .optimizer = *setup_.optimizer,
                  .own_schedule = own_schedule(),
                  .lr = finds_lr ? std::nullopt : std::optional(setup_.decisions.lr),
                  .lr_source = lr_source(),
                  .loader = *setup_.loader,
                  .batches = setup_.batches(),
                  .validation = setup_.validation.get(),
                  .validation_source = setup_.data.validation_source,
                  .is_raw = setup_.data.train.dataset().is_raw(),
                  .run_dir = desk_.result.run_dir};
  desk_.result.summary = summarise(setup_.options, plan);
  if (resumed_) {
    std::ranges::move(describe_scales(setup_.model), std::back_inserter(desk_.result.summary));
    desk_.result.summary.insert(desk_.result.summary.begin(), {"resumed", printable(resumed_text(), LineEnds::escape)});
  }
  const FitStart event{.summary = desk_.result.summary,
                       .epochs = setup_.options.epochs,
                       .batches_per_epoch = setup_.batches(),
                       .planned_steps = setup_.decisions.planned_steps,
                       .seed = setup_.options.seed.value,
                       .clip_norm = setup_.options.clip_norm,
                       .class_names = setup_.info.class_names,
                       .resumed = resumed_,
                       .step = loop_.at.step,
                       .run_dir = desk_.result.run_dir};
  desk_.has_started = true;
  desk_.send(&LogSink::fit_start, event);
}

std::string Run::resumed_text() const {
  std::string text = concat("at step ", loop_.at.step, ", epoch ", loop_.at.epoch, ", from ", desk_.result.checkpoint);
  if (loop_.at.epoch > setup_.options.epochs)
    text += concat("; it has finished its ", setup_.options.epochs, " epochs: for more of them allow \"epochs\"");
  else if (loop_.evaluator.has_stopped())
    text += "; it had stopped early: there is nothing left to do";
  return text;
}

// Sends what was not known when the summary was sent.
void Run::send_train_start() {
  TrainStart event{.found = preflight_.found(), .lr_finder = desk_.result.lr_finder};
  if (!setup_.options.lr && !setup_.options.fast_dev_run)
    event.found.push_back({"lr", lr_text(setup_.decisions.lr, lr_source())});
  if (const auto& constants = setup_.info.normalization; constants && !setup_.options.normalization)
    event.found.push_back({"normalization", normalization_text(*constants, "of the training split")});
  if (const std::string schedule = own_schedule(); !schedule.empty() && !setup_.options.lr)
    event.found.push_back({"lr schedule", schedule_text(schedule)});
  for (const SummaryItem& item : event.found) {
    const auto known = std::ranges::find(desk_.result.summary, item.name, &SummaryItem::name);
    if (known != desk_.result.summary.end())
      *known = item;
    else
      desk_.result.summary.push_back(item);
  }
  desk_.send(&LogSink::train_start, event);
}

// Describes the schedule of an override of configure_schedule; empty when the schedule is the Trainer's own.
std::string Run::own_schedule() const {
  if (!(setup_.decisions.lr > 0)) return {};  // the Trainer's own schedule would refuse it
  return describe_own_schedule(setup_.schedule,
                               default_schedule(setup_.options, setup_.decisions.lr, setup_.decisions.planned_steps),
                               setup_.decisions.planned_steps);
}

std::string Run::lr_source() const {
  if (setup_.options.lr)
    return setup_.decisions.lr == *setup_.options.lr
               ? "given"
               : concat("given as ", *setup_.options.lr, " for ", reference_batch, " samples per step, scaled to ",
                        setup_.samples_per_step());
  if (resumed_) return "as when the run began";
  if (!desk_.result.lr_finder || !desk_.result.lr_finder->suggestion) return "the optimizer's default";
  return concat("by the LR finder", desk_.result.lr_finder->few_samples ? ", by its rule for small data sets" : "",
                desk_.result.lr_finder->low_confidence ? "; a rate ten times lower or higher may do as well" : "",
                desk_.result.lr_finder->censored ? "; no rate of the sweep was too high" : "");
}

}  // namespace handrail::train
