#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <handrail/train/report/sink.h>

namespace handrail::train {

// Sinks that write files, as in
//
//   .sinks = {train::console(), train::json_lines("run.jsonl"), train::tensorboard("runs/tb")}
//
// What holds for all of them: a path is made absolute when the sink is made, and directories that are missing are made.
// A run is refused, before anything has changed, with a CheckpointError when something other than a regular file is at
// the path. A write that fails never ends a run: it is reported once, as the anomaly "metrics_log". What is logged
// reaches the file at once. A new run begins the file anew; a run that is resumed appends. A step that is not logged
// makes no call of the heap. Names that contain control characters are escaped, and numbers look the same in every
// locale.

/// A sink that writes a table as people plot it, with a column for each figure:
///
///   step,epoch,train_loss,ema_loss,lr,grad_norm,samples_per_second,val_loss,val_accuracy,train_loss_epoch
///
/// then val_NAME and train_NAME of metrics. It has a row for each step that is logged
/// (TrainerOptions::log_every_n_steps), each evaluation and each epoch; those of the same step share it. A cell is
/// empty where the figure was not measured at that step. When a figure comes for the first time, its column is added on
/// the right and the file is replaced by one with the new header. samples_per_second counts from row to row, with the
/// time for evaluations between them. A run that is resumed cuts the rows after its checkpoint, because it makes those
/// steps again. A second fit of the same sink, such as one that TrainerOptions::repair makes, begins the file anew.
std::shared_ptr<LogSink> csv_log(const std::filesystem::path& path);

/// A sink that writes JSON lines: an object per event, each in a line of its own, for programs. The first fields of all
/// are "event", which is fit_start, train_start, step, layers, evaluated, epoch_end, anomaly, repair, refit, part_end
/// or fit_end, and "time", in seconds since 1970. The others have the names of the fields in train/report/events.h: a
/// step is written every log_every_n_steps, and an evaluation is an object of loss, accuracy, calibration_error,
/// samples and metrics. NaN and infinity are null, because JSON has neither, and so is what was not measured; bytes
/// that are not UTF-8 become U+FFFD. A run that is resumed appends: its fit_start has "resumed" and the "step" of the
/// checkpoint, and the steps after that are there twice, with the same figures. Further fits of the same sink append
/// too.
std::shared_ptr<LogSink> json_lines(const std::filesystem::path& path);

/// A sink that writes event files for TensorBoard (tensorboard --logdir DIR), a new one for each fit, into the
/// directory: train/loss, train/ema_loss, lr, grad_norm, samples_per_second and layers/LAYER/update_ratio, grad_norm,
/// grad_mean, grad_max and dead_units of each step that is logged; val/loss, val/accuracy and val/NAME of each
/// evaluation; epoch, train/loss_epoch and train/NAME of each epoch. At the first step of an epoch that is logged,
/// weights/PARAMETER and gradients/PARAMETER are histograms of 32 buckets, without values that are not finite. Give
/// each run a directory of its own. A run that is resumed, and a further fit of the same sink, tell TensorBoard to
/// leave out what the files before had after the step that they begin with.
std::shared_ptr<LogSink> tensorboard(const std::filesystem::path& dir);

/// Where a run is logged in trackio.
struct TrackioOptions {
  std::string project = "handrail";  // the name of the database and of the project in the dashboard
  std::string run = {};              // the name of the run; {}: that of its directory, digits-3 for runs/digits/3
  std::filesystem::path dir = {};    // of the databases; {}: $TRACKIO_DIR, or ~/.cache/huggingface/trackio
};

/// A sink that writes into the SQLite database of a project of trackio, for its dashboard (trackio show): the figures
/// that tensorboard() writes as scalars, and the summary of the run as its configuration. Other processes may write to
/// the same database. A run that is resumed replaces the rows after its checkpoint. Throws Error when the library was
/// built without SQLite, which is optional.
std::shared_ptr<LogSink> trackio(const TrackioOptions& options = {});

}  // namespace handrail::train
