#include "unseen/unseen.h"

namespace faulty_runs {

std::vector<FaultGroup> unseen() {
  return {{"data", unseen_data()},          {"columns", unseen_columns()},
          {"labels", unseen_labels()},      {"split", unseen_splits()},
          {"model", unseen_models()},       {"layers", unseen_layers()},
          {"gradient", unseen_gradients()}, {"outputs", unseen_outputs()},
          {"loss", unseen_losses()},        {"optimizer", unseen_optimizers()},
          {"schedule", unseen_schedules()}, {"loop", unseen_loops()}};
}

double count_of_classes(const Program& p) { return p.kind == train::Task::binary ? 2 : static_cast<double>(p.outputs); }

double share(Index row, const Table& table) { return static_cast<double>(row) / static_cast<double>(table.rows()); }

}  // namespace faulty_runs
