#pragma once

// Includes everything that a program usually needs. Not included: the Eigen views, <handrail/core/eigen.h>, and the
// guards of the library, <handrail/train/guards/...>.

#include <handrail/core/error.h>
#include <handrail/core/gradcheck.h>
#include <handrail/core/ops/ops.h>
#include <handrail/core/random.h>
#include <handrail/core/system/parallel.h>
#include <handrail/core/tape.h>
#include <handrail/core/tensor.h>
#include <handrail/nn/activation.h>
#include <handrail/nn/dropout.h>
#include <handrail/nn/impute.h>
#include <handrail/nn/init.h>
#include <handrail/nn/linear.h>
#include <handrail/nn/module.h>
#include <handrail/nn/norm.h>
#include <handrail/nn/sequential.h>
#include <handrail/nn/standardize.h>
#include <handrail/optim/adam.h>
#include <handrail/optim/clip.h>
#include <handrail/optim/optimizer.h>
#include <handrail/optim/schedule.h>
#include <handrail/optim/sgd.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/cross_validation.h>
#include <handrail/train/data/csv.h>
#include <handrail/train/data/dataset.h>
#include <handrail/train/data/idx.h>
#include <handrail/train/data/loader.h>
#include <handrail/train/data/mnist.h>
#include <handrail/train/data/rows.h>
#include <handrail/train/data/split.h>
#include <handrail/train/data/subset.h>
#include <handrail/train/data/table/table_encoder.h>
#include <handrail/train/ensemble.h>
#include <handrail/train/lr/lr_finder.h>
#include <handrail/train/metrics/metrics.h>
#include <handrail/train/report/console.h>
#include <handrail/train/report/sink.h>
#include <handrail/train/run/loss.h>
#include <handrail/train/run/options.h>
#include <handrail/train/run/result.h>
#include <handrail/train/run/try_fix.h>
#include <handrail/train/trainer.h>
#include <handrail/train/watch.h>
