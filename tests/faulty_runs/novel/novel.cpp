#include "novel/novel.h"

namespace faulty_runs {

std::vector<FaultGroup> novel() {
  return {{"data", novel_data()},          {"columns", novel_columns()},
          {"labels", novel_labels()},      {"split", novel_splits()},
          {"model", novel_models()},       {"layers", novel_layers()},
          {"gradient", novel_gradients()}, {"outputs", novel_outputs()},
          {"loss", novel_losses()},        {"optimizer", novel_optimizers()},
          {"schedule", novel_schedules()}, {"loop", novel_loops()}};
}

}  // namespace faulty_runs
