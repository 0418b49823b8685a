#pragma once

#include <string>
#include <vector>

#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/report/events.h>
#include <handrail/train/run/loop/position.h>
#include <handrail/train/run/loop/stop.h>

namespace handrail::train {

/// With TrainerOptions::standardize, gives the model of a run scales (see nn::Layer) where check_input_scale and
/// check_target_scale report raw data. They are fitted on at most 20,000 rows of the training set, evenly spaced.
/// Inputs of which a column has outliers or heavy tails get a robust one. Returns the anomalies of what is raw
/// still, because a scale would not be right:
///   both      the data set is raw bytes, or has values that are not finite; the model has been trained: it predicts
///             the targets of the first eight batches, where its loss is 30 % below that of outputs of 0 and of other
///             targets
///   inputs    they are not [N, features]; something else than trained linear layers reads them, in one of
///             training_step, validation_step and predict_step; or the model is not called, as model(batch.inputs)
///   targets   they are not [N, features]; the loss is not mse_loss, l1_loss or huber_loss of the predictions alone, or
///             is not finite for their mean; or the predictions are not made by a trained linear layer, in one of these
///             steps
/// The weights, buffers and random streams are unchanged.
std::vector<Anomaly> standardise(Setup& setup, const Position& at, Stop& stop, const DataPart& train);

/// The same for a sweep or a trial without the checks of the data. Does nothing for a data set that is not in memory
/// and of which no rows were kept.
void standardise(Setup& setup, const Position& at, Stop& stop);

/// Lines of the summary for the scales of the model.
std::vector<SummaryItem> describe_scales(const nn::Module& model);

}  // namespace handrail::train
