#pragma once

#include <cstdint>

#include <handrail/train/report/sink.h>

// Events of a run as a sink gets them.

inline handrail::train::FitStart start_event() {
  return {.summary = {{"data", "some"}, {.name = "clip", .value = "gradients may explode", .off = true}},
          .epochs = 2,
          .batches_per_epoch = 31,
          .planned_steps = 62};
}
inline handrail::train::FitStart resumed_event(std::int64_t step) {
  handrail::train::FitStart event = start_event();
  event.resumed = true;
  event.step = step;
  return event;
}

inline handrail::train::StepStats step_event(std::int64_t step, double loss) {
  return {.step = step,
          .micro_step = step - 1,
          .epoch = 1,
          .batch = step,
          .samples = 8,
          .loss = loss,
          .ema_loss = 0.75,
          .grad_norm = 2,
          .lr = 1e-3,
          .updated = true};
}

inline handrail::train::LayerReport layer_event(std::int64_t step) {
  return {.step = step,
          .layers = {{.name = "hidden",
                      .grad_norm = 0.5,
                      .grad_mean = -0.25,
                      .grad_max = 1,
                      .update_ratio = 1e-3,
                      .dead_units = 0.125}}};
}

/// A step that is logged.
inline void log_step(handrail::train::LogSink& sink, std::int64_t step, double loss) {
  sink.step_end(step_event(step, loss));
  sink.layers(layer_event(step));
}

inline handrail::train::EvaluationStats evaluation_event(std::int64_t step, double loss) {
  return {.step = step,
          .epoch = 1,
          .evaluation = {.loss = loss, .measured_accuracy = 0.5, .samples = 4, .metrics = {{"f1", 0.75}}},
          .monitored = loss,
          .best = true};
}

inline handrail::train::EpochStats epoch_event(std::int64_t step, double loss) {
  return {.epoch = 1,
          .step = step,
          .lr = 1e-3,
          .train_loss = loss,
          .metrics = {{"mae", 6}},
          .validation = evaluation_event(step, 0.25).evaluation,
          .seconds = 2};
}
