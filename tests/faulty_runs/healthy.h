#pragma once

#include <cstdint>
#include <string>

#include "tasks.h"

namespace faulty_runs {

/// A program without a fault, drawn by its number: another model, optimizer, batch size, loss or data set size.
struct Variant {
  std::string description;  // such as "rings 1: 32-32 gelu layer norm, AdamW 0.002, batch 64"
  Program program;
};
Variant healthy_variant(const TaskKind& task, std::uint64_t task_seed, std::uint64_t number);

}  // namespace faulty_runs
