#include <handrail/train/checkpoints/checkpoint.h>

#include <algorithm>
#include <set>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/checkpoints/internal/checkpoint_codec.h>
#include <handrail/train/checkpoints/internal/container.h>
#include <handrail/train/checkpoints/internal/model_scales.h>
#include <handrail/train/checkpoints/internal/weights_file.h>
#include <handrail/train/data/internal/normalization.h>
#include <handrail/train/files/file_system.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::uint32_t best_flag = 1;

void check_finite(const Tensor& tensor, const char* kind, const std::string& name, const std::string& who) {
  if (!tensor.defined()) fail<CheckpointError>(who, ": ", kind, ' ', quoted_name(name), " is undefined");
  if (const Index bad = first_non_finite(tensor.span()); bad >= 0)
    fail<CheckpointError>(who, ": ", kind, ' ', quoted_name(name), ' ', tensor.shape(),
                          ": want finite values; element ", bad, " is ", tensor.data()[bad],
                          "; use an earlier checkpoint");
}

void check_finite(const NamedTensors& tensors, const char* kind, const std::string& who) {
  for (const auto& [name, tensor] : tensors) check_finite(tensor, kind, name, who);
}

// These checks are made both before writing and after reading, so that whatever is saved can be loaded.
void check(const TableEncoder& table, const std::string& who) {
  if (const std::string problem = table.problem(); !problem.empty())
    fail<CheckpointError>(who, ": want a table whose parts fit; ", problem);
}

void check(const ModelInfo& info, const std::string& who) {
  if (info.normalization)
    if (const std::string problem = problem_of(*info.normalization); !problem.empty())
      fail<CheckpointError>(who, ": want a normalization", problem);
  if (info.table) check(*info.table, who);
}

void check(const ModelState& state, const std::string& who) {
  check_finite(state.parameters, "parameter", who);
  check_finite(state.buffers, "buffer", who);
}

void check(const TrainingState& state, const std::string& who) {
  check(state.model, who);
  check_finite(state.parameters, "parameter", who);
  check_finite(state.buffers, "buffer", who);
  check_finite(state.best_parameters, "best parameter", who);
  check_finite(state.best_buffers, "best buffer", who);
  for (const auto& [name, kept] : state.optimizer)
    for (const Tensor& slot : kept.slots) check_finite(slot, "moment of", name, who);

  const Progress& p = state.progress;
  std::vector<std::int64_t> counts{p.epoch,   p.batch,     p.step,          p.micro_step,
                                   p.skipped, p.rollbacks, p.epoch_samples, state.decisions.planned_steps};
  for (const auto& [name, kept] : state.optimizer) counts.push_back(kept.t);
  const auto [smallest, largest] = std::ranges::minmax(counts);
  if (p.epoch < 1 || smallest < 0)
    fail<CheckpointError>(who, ": want an epoch >= 1 and counts >= 0; got a smaller one");
  // No run gets there, and no count overflows from there.
  constexpr std::int64_t max_count = std::int64_t{1} << 53;
  if (largest > max_count) fail<CheckpointError>(who, ": want counts up to 2^53; one is ", largest);
  if (state.good) check(*state.good, who + ": last good state");
}

void write(FileSystem& files, const std::filesystem::path& path, const std::vector<Section>& sections,
           std::uint32_t flags, const std::string& who) {
  const std::string header = container_header(sections, flags);
  std::vector<std::string_view> pieces{header};
  for (const Section& section : sections)
    for (const std::string_view piece : section.pieces()) pieces.push_back(piece);
  write_file(files, path, pieces, who);
}

// Appends a line to `wrong` for everything that does not fit.
template <class Part>
void compare(std::string& wrong, const std::string& kind, const std::vector<Part>& wanted, const NamedTensors& given) {
  std::set<std::string_view> names;
  for (const Part& part : wanted) {
    names.insert(part.name);
    const auto found = given.find(part.name);
    if (found == given.end())
      wrong += concat("\n  missing: ", kind, " '", part.name, "' ", part.tensor.shape());
    else if (found->second.shape() != part.tensor.shape())
      wrong += concat("\n  ", kind, " '", part.name, "': want ", part.tensor.shape(), "; got ", found->second.shape());
  }
  for (const auto& [name, tensor] : given)
    if (!names.contains(name)) wrong += concat("\n  unknown: ", kind, ' ', quoted_name(name), ' ', tensor.shape());
}

void refuse_misfits(const std::string& wrong, const std::string& who) {
  if (!wrong.empty())
    fail<CheckpointError>(who, ": want the parameters and buffers of the model; got others:", wrong,
                          "\n  build the model as it was when they were saved");
}

void restore(nn::Module& model, const NamedTensors& parameters, const NamedTensors& buffers, const std::string& who) {
  ScalesOf scales(model, buffers);
  // Both lists are made before the first write: making them may fail for lack of memory, copying never fails.
  const auto own_parameters = model.parameters();
  const auto own_buffers = model.buffers();
  std::string wrong;
  compare(wrong, "parameter", own_parameters, parameters);
  compare(wrong, "buffer", own_buffers, buffers);
  refuse_misfits(wrong, who);
  write_back(own_parameters, own_buffers, parameters, buffers);
  scales.keep();
}

std::string about(const char* function, const std::filesystem::path& path) {
  return concat(function, ": '", path.string(), "'");
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const TrainingState& state, bool is_best, FileSystem& files) {
  const std::string who = about("save_checkpoint", path);
  check(state, who);
  write(files, path, encode(state), is_best ? best_flag : 0, who);
}

TrainingState load_checkpoint(const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about("load_checkpoint", path);
  const std::string file = read_container(files, path, who);
  TrainingState state = decode_state(unpack(file, who), who);
  check(state, who);
  return state;
}

bool is_best_checkpoint(const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about("is_best_checkpoint", path);
  const FileStart start = read_file(files, path, who, max_header_bytes);
  return (parse_header(start.bytes, start.file_size, who).flags & best_flag) != 0;
}

ModelState capture(const nn::Module& model) {
  ModelState state;
  capture(model.parameters(), state.parameters);
  capture(model.buffers(), state.buffers);
  return state;
}

void check_fits(const nn::Module& model, const NamedTensors& parameters, const NamedTensors& buffers) {
  std::string wrong;
  compare(wrong, "parameter", model.parameters(), parameters);
  compare(wrong, "buffer", model.buffers(), buffers);
  refuse_misfits(wrong, "check_fits");
}

void check_fits(const nn::Module& model, const TrainingState& state) {
  const auto own_parameters = model.parameters();
  const auto own_buffers = model.buffers();
  std::string wrong;
  const auto compare_all = [&](const TrainingState& given, const std::string& whose) {
    compare(wrong, whose + "parameter", own_parameters, given.parameters);
    compare(wrong, whose + "buffer", own_buffers, given.buffers);
    if (!given.best && given.best_parameters.empty() && given.best_buffers.empty()) return;
    compare(wrong, whose + "best parameter", own_parameters, given.best_parameters);
    compare(wrong, whose + "best buffer", own_buffers, given.best_buffers);
  };
  compare_all(state, "");
  if (state.good) compare_all(*state.good, "last good ");
  refuse_misfits(wrong, "check_fits");
}

void restore(nn::Module& model, const NamedTensors& parameters, const NamedTensors& buffers) {
  restore(model, parameters, buffers, "restore");
}

void write_back(std::span<const Parameter> own_parameters, std::span<const Buffer> own_buffers,
                const NamedTensors& parameters, const NamedTensors& buffers) noexcept {
  for (const Parameter& p : own_parameters) std::ranges::copy(parameters.at(p.name).span(), p.tensor.mutable_data());
  for (const Buffer& b : own_buffers) std::ranges::copy(buffers.at(b.name).span(), b.tensor.mutable_data());
}

ModelState finite_state(const nn::Module& model, const std::string& who) {
  ModelState state;
  for (const Parameter& p : model.parameters()) state.parameters.emplace(p.name, p.tensor);
  for (const Buffer& b : model.buffers()) state.buffers.emplace(b.name, b.tensor);
  check(state, who);
  return state;
}

void check_finite(const ModelState& state, const std::string& who) { check(state, who); }

void restore(nn::Module& model, const ModelState& state, const std::string& who) {
  restore(model, state.parameters, state.buffers, who);
}

void write_weights(const nn::Module& model, const std::filesystem::path& path, FileSystem& files,
                   const std::string& who) {
  write(files, path, encode(finite_state(model, who)), 0, who);
}

ModelState read_weights(const std::filesystem::path& path, FileSystem& files, const std::string& who) {
  const std::string file = read_container(files, path, who);
  ModelState state = decode_model(unpack(file, who), who);
  check(state, who);
  return state;
}

void save_model(const nn::Module& model, const ModelInfo& info, const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about("save_model", path);
  check(info, who);
  write(files, path, encode(finite_state(model, who), info), 0, who);
}

SavedModel read_model(const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about("load_model", path);
  const std::string file = read_container(files, path, who);
  const Container container = unpack(file, who);
  SavedModel saved{.weights = decode_best(container, who), .info = decode_info(container, who)};
  check(saved.weights, who);
  check(saved.info, who);
  return saved;
}

void save_table(const TableEncoder& table, const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about("save_table", path);
  check(table, who);
  write(files, path, encode(table), 0, who);
}

TableEncoder load_table(const std::filesystem::path& path, FileSystem& files) {
  const std::string who = about("load_table", path);
  const std::string file = read_container(files, path, who);
  TableEncoder table = decode_table(unpack(file, who), who);
  check(table, who);
  return table;
}

}  // namespace handrail::train
