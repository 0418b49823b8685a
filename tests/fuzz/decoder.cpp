// One section of a checkpoint behind right checksums: its number, then its bytes.

#include <memory>

#include <handrail/train/checkpoints/checkpoint.h>

#include "checkpoint_files.h"
#include "target.h"

using namespace handrail::train;

namespace {

void read(std::string_view input) {
  static const std::vector<Section> sections = [] {
    TrainingState state;
    state.good = std::make_shared<const TrainingState>();
    state.model.table = {{.csv = {.header = true},
                          .columns = {{.name = "a"}, {.name = "y", .role = TableColumn::Role::target}},
                          .targets = {"y"},
                          .kind = Target::value,
                          .rows = 1}};
    state.model.class_weights = {1};
    return encode(state);
  }();
  fuzz::OneFile file(fuzz::with_section(sections, input));
  const TrainingState state = load_checkpoint("file", file);
  if (state.model.table) load_table("file", file);
  save_checkpoint("file", state, false, file);
  const std::string saved = file.bytes;
  save_checkpoint("file", load_checkpoint("file", file), false, file);
  fuzz::require(file.bytes == saved, "saved again, the state differs");
}

}  // namespace

const fuzz::Target fuzz::target{.read = read, .memory = {.fixed = 64 << 10, .per_byte = 4}};
