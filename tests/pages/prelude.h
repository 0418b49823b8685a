#pragma once

// What the blocks of the pages use without declaring it. Nothing is defined: they are compiled only.

#include <cmath>
#include <cstdio>
#include <iostream>
#include <string>

#include <Eigen/Dense>
#include <handrail/core/eigen.h>
#include <handrail/handrail.h>

using namespace handrail;
using namespace handrail::train;

extern nn::Sequential model;
extern train::Trainer trainer;
extern const train::TensorDataset data, test_set, prices, others;
extern const train::TrainerOptions options;
extern const train::FitResult result;
extern const train::CrossValidation wide, narrow;
extern const Index features;
extern Rng rng;
