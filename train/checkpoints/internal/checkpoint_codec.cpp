#include <handrail/train/checkpoints/internal/checkpoint_codec.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <memory>
#include <ostream>
#include <streambuf>
#include <type_traits>

#include <cereal/archives/portable_binary.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>
#include <handrail/train/files/text.h>

// cereal calls the functions named save, load and serialize. It finds them in the namespace of the type or, for types
// of the standard library, of the archive. What they write is the format of the file: a change of it needs a new
// container_format.

namespace handrail::train {
namespace {

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian: swap bytes here");
static_assert(sizeof(Index) == sizeof(std::int64_t), "positions are stored in 64 bits");

// Reads what PortableBinaryOutputArchive wrote, from bytes that cannot be trusted: a size that exceeds the bytes left
// is refused. cereal's own input archive allocates whatever size the bytes claim.
class Reader : public cereal::InputArchive<Reader, cereal::AllowEmptyClassElision> {
 public:
  explicit Reader(std::string_view bytes) : InputArchive(this), left_(bytes) {
    bool little_endian = false;
    (*this)(little_endian);
    if (!little_endian) throw cereal::Exception("it is not little-endian");
  }
  void read(void* out, std::size_t size) {
    check(size, 1);
    if (size > 0) std::memcpy(out, left_.data(), size);
    left_.remove_prefix(size);
  }
  // Throws unless `count` elements of at least `element_bytes` bytes each can follow.
  void check(std::uint64_t count, std::size_t element_bytes) const {
    if (count > left_.size() / element_bytes)
      throw cereal::Exception(concat("it claims ", count, " elements of ", element_bytes,
                                     " bytes or more, but there are ", left_.size(), " bytes left"));
  }
  void finish() const {
    if (!left_.empty()) throw cereal::Exception(concat("there are ", left_.size(), " bytes too many"));
  }

 private:
  std::string_view left_;
};

template <class T>
requires std::is_arithmetic_v<T>
void load(Reader& in, T& value) { in.read(&value, sizeof(T)); }
void load(Reader& in, bool& value) {
  std::uint8_t byte = 0;
  in.read(&byte, 1);
  if (byte > 1) throw cereal::Exception("want true or false; got another byte");
  value = byte == 1;
}
// A value of an enumeration whose values are 0 to `last`.
template <class E>
void load_enum(Reader& in, E& value, E last) {
  std::uint8_t number = 0;
  in(number);
  if (number > static_cast<std::uint8_t>(last))
    throw cereal::Exception(concat("want a number from 0 to ", static_cast<int>(last), "; got ", int{number}));
  value = static_cast<E>(number);
}
template <class T>
void serialize(Reader& in, cereal::NameValuePair<T>& pair) {
  in(pair.value);
}
template <class T>
void serialize(Reader& in, cereal::SizeTag<T>& tag) {
  in(tag.size);
  in.check(tag.size, 1);
}
template <class T>
void load(Reader& in, cereal::BinaryData<T>& data) {
  in.read(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void load(Reader& in, std::vector<T>& values) {
  cereal::size_type count = 0;
  in(cereal::make_size_tag(count));
  values.clear();
  if constexpr (std::is_arithmetic_v<T>) {
    in.check(count, sizeof(T));
    values.resize(count);
    in.read(values.data(), count * sizeof(T));
  } else {
    // One element at a time, because a T may take many times as much memory as its bytes in the file. Growing by half,
    // and not by a factor of two, keeps every request below four times the bytes of the file.
    for (; count > 0; --count) {
      if (values.size() == values.capacity()) values.reserve(values.size() + values.size() / 2 + 1);
      in(values.emplace_back());
    }
  }
}
template <class T>
void load(Reader& in, std::map<std::string, T>& values) {
  cereal::size_type count = 0;
  in(cereal::make_size_tag(count));
  values.clear();
  for (; count > 0; --count) {
    std::string name;
    T value{};
    in(name, value);
    if (!values.emplace(name, std::move(value)).second)
      throw cereal::Exception("it has " + quoted_name(name) + " twice");
  }
}

}  // namespace
}  // namespace handrail::train

namespace handrail {

static void save(cereal::PortableBinaryOutputArchive& out, const Shape& shape) {
  out(static_cast<std::uint8_t>(shape.rank()));
  for (const Index dim : shape.dims()) out(std::int64_t{dim});
}
static void load(train::Reader& in, Shape& shape) {
  std::uint8_t rank = 0;
  in(rank);
  in.check(rank, sizeof(Index));
  std::vector<Index> dims;
  for (int axis = 0; axis < rank; ++axis) in(dims.emplace_back());
  shape = Shape{std::span<const Index>(dims)};
}

static void save(cereal::PortableBinaryOutputArchive& out, const Tensor& tensor) {
  out(std::uint8_t{sizeof(Scalar)}, tensor.shape());
  out(cereal::binary_data(tensor.data(), tensor.span().size_bytes()));
}
static void load(train::Reader& in, Tensor& tensor) {
  std::uint8_t scalar_bytes = 0;
  in(scalar_bytes);
  if (scalar_bytes != sizeof(Scalar))
    throw cereal::Exception(concat("its tensors have elements of ", int{scalar_bytes}, " bytes, this program's have ",
                                   sizeof(Scalar), "; handrail_f64 reads 8, handrail 4"));
  Shape shape;
  in(shape);
  in.check(static_cast<std::uint64_t>(shape.size()), sizeof(Scalar));
  tensor = Tensor(shape);
  in.read(tensor.mutable_data(), tensor.span().size_bytes());
}

// A structured binding names all members of a structure, so that a new member does not compile until it is stored too.

namespace optim {

template <class Archive>
static void serialize(Archive& archive, ParamState& state) {
  auto& [t, slots] = state;
  archive(t, slots);
}

}  // namespace optim

namespace train {

template <class Archive>
static void serialize(Archive& archive, MetricValue& metric) {
  auto& [name, value] = metric;
  archive(name, value);
}
template <class Archive>
static void serialize(Archive& archive, Evaluation& evaluation) {
  auto& [loss, accuracy, samples, metrics, group_losses, confusion, calibration_error] = evaluation;
  static_cast<void>(confusion);  // only evaluations of this session have these
  static_cast<void>(calibration_error);
  archive(loss, accuracy, samples, metrics, group_losses);
}
template <class Archive>
static void serialize(Archive& archive, Best& best) {
  auto& [epoch, step, value, evaluation] = best;
  archive(epoch, step, value, evaluation);
}
template <class Archive>
static void serialize(Archive& archive, Normalization& constants) {
  auto& [mean, stddev] = constants;
  archive(mean, stddev);
}
template <class Archive>
static void serialize(Archive& archive, Progress& progress) {
  auto& [epoch, batch, step, micro_step, skipped, rollbacks, epoch_loss, epoch_samples, epoch_metrics, lr_factor,
         seconds] = progress;
  archive(epoch, batch, step, micro_step, skipped, rollbacks, epoch_loss, epoch_samples, epoch_metrics, lr_factor,
          seconds);
}
template <class Archive>
static void serialize(Archive& archive, Decisions& decisions) {
  auto& [lr, planned_steps, seed] = decisions;
  archive(lr, planned_steps, seed);
}
static void save(cereal::PortableBinaryOutputArchive& out, const ModelInfo& info) {
  const auto& [task, input_shape, target_shape, normalization, class_names, table, class_weights] = info;
  static_cast<void>(table);  // have sections of their own
  static_cast<void>(class_weights);
  out(static_cast<std::uint8_t>(task), input_shape, target_shape, normalization, class_names);
}
static void load(Reader& in, ModelInfo& info) {
  auto& [task, input_shape, target_shape, normalization, class_names, table, class_weights] = info;
  load_enum(in, task, Task::regression);
  in(input_shape, target_shape, normalization, class_names);
  table = std::nullopt;  // see decode_info
  class_weights.clear();
}
template <class Archive>
static void serialize(Archive& archive, CsvOptions& csv) {
  auto& [delimiter, header, allow_non_finite, max_line_bytes, max_inflated_bytes] = csv;
  archive(delimiter, header, allow_non_finite, max_line_bytes, max_inflated_bytes);
}
static void save(cereal::PortableBinaryOutputArchive& out, const TableColumn& column) {
  const auto& [name, role, missing, median, values, pooled, reason] = column;
  out(name, static_cast<std::uint8_t>(role), missing, median, values, pooled, reason);
}
static void load(Reader& in, TableColumn& column) {
  auto& [name, role, missing, median, values, pooled, reason] = column;
  in(name);
  load_enum(in, role, TableColumn::Role::left_out);
  in(missing, median, values, pooled, reason);
}
static void save(cereal::PortableBinaryOutputArchive& out, const TableEncoder& table) {
  const auto& [csv, missing, columns, targets, kind, classes, numeric_classes, rows, notes, allow_unknown] = table;
  out(csv, missing, columns, targets, static_cast<std::uint8_t>(kind), classes, numeric_classes, rows, notes,
      allow_unknown);
}
static void load(Reader& in, TableEncoder& table) {
  auto& [csv, missing, columns, targets, kind, classes, numeric_classes, rows, notes, allow_unknown] = table;
  in(csv, missing, columns, targets);
  load_enum(in, kind, Target::value);
  in(classes, numeric_classes, rows, notes, allow_unknown);
}

namespace {

// A stream buffer that appends to a section. Elements of large tensors are not copied: copying a hundred megabytes
// takes longer than writing them to the disk.
class Sink : public std::streambuf {
 public:
  explicit Sink(Section& section) : section_(section) {}

 protected:
  std::streamsize xsputn(const char* from, std::streamsize size) override {
    constexpr std::streamsize large = 1 << 20;
    const std::string_view bytes(from, static_cast<std::size_t>(size));
    if (size >= large)
      section_.borrowed.push_back({section_.bytes.size(), bytes});
    else
      section_.bytes += bytes;
    return size;
  }
  int_type overflow(int_type byte) override {
    section_.bytes += traits_type::to_char_type(byte);
    return byte;
  }

 private:
  Section& section_;
};

template <class... Parts>
Section section(const char* name, const Parts&... parts) {
  Section section{.name = name, .bytes = {}};
  Sink sink(section);
  std::ostream out(&sink);
  cereal::PortableBinaryOutputArchive archive(out, cereal::PortableBinaryOutputArchive::Options::LittleEndian());
  archive(parts...);
  return section;
}

const char* missing_section(std::string_view name) {
  if (name == "model") return "it holds weights alone, which load_weights reads, or is of an earlier handrail";
  if (name == "table") return "it is a model without one: set TrainerOptions::table, or call save_table";
  if (name == "epochs")
    return "it is a checkpoint of an earlier handrail, without the last good state: resume it with that version; "
           "load_model reads its weights";
  return "a checkpoint cannot be read from a file of weights";
}

template <class... Parts>
void decode(const Container& container, const char* name, const std::string& who, Parts&... parts) {
  const auto found = container.sections.find(name);
  if (found == container.sections.end())
    fail<CheckpointError>(who, ": has no section '", name, "'; ", missing_section(name));
  const auto refuse = [&](const char* why) {
    fail<CheckpointError>(who, ": section '", name, "' cannot be read: ", why);
  };
  try {
    Reader in(found->second);
    in(parts...);
    in.finish();
  } catch (const cereal::Exception& error) {
    refuse(error.what());
  } catch (const ShapeError& error) {
    refuse(error.what());
  }
}

}  // namespace

// Adds what a file has only when the model has it, in sections of its own.
static void append_optional(std::vector<Section>& sections, const ModelInfo& info) {
  if (info.table) sections.push_back(section("table", *info.table));
  if (!info.class_weights.empty()) sections.push_back(section("class_weights", info.class_weights));
}

std::vector<Section> encode(const TableEncoder& table) { return {section("table", table)}; }

std::vector<Section> encode(const ModelState& model) {
  return {section("parameters", model.parameters), section("buffers", model.buffers)};
}

std::vector<Section> encode(const ModelState& model, const ModelInfo& info) {
  auto sections = encode(model);
  sections.push_back(section("model", info));
  append_optional(sections, info);
  return sections;
}

ModelState decode_model(const Container& container, const std::string& who) {
  ModelState model;
  decode(container, "parameters", who, model.parameters);
  decode(container, "buffers", who, model.buffers);
  return model;
}

ModelState decode_best(const Container& container, const std::string& who) {
  std::optional<Best> best;
  ModelState model;
  if (container.sections.contains("best")) decode(container, "best", who, best, model.parameters, model.buffers);
  return best ? model : decode_model(container, who);
}

ModelInfo decode_info(const Container& container, const std::string& who) {
  ModelInfo info;
  decode(container, "model", who, info);
  if (container.sections.contains("table")) info.table = decode_table(container, who);
  if (container.sections.contains("class_weights")) decode(container, "class_weights", who, info.class_weights);
  for (const double weight : info.class_weights)
    if (!(is_finite(weight) && weight >= 0))
      fail<CheckpointError>(who, ": want finite weights of classes >= 0; got ", weight);
  return info;
}

TableEncoder decode_table(const Container& container, const std::string& who) {
  TableEncoder table;
  decode(container, "table", who, table);
  return table;
}

namespace {

bool is_same(const NamedTensors& a, const NamedTensors& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return x.second.is_same(y.second); });
}

// The last good state, as far as it differs from the state that it belongs to.
Section good_section(const TrainingState& good, const TrainingState& of) {
  const auto& [parameters, buffers, optimizer, progress, decisions, guards, best, best_parameters, best_buffers,
               settings, log_length, model, train_loss, validation, none] = good;
  const bool same_best = is_same(best_parameters, of.best_parameters) && is_same(best_buffers, of.best_buffers);
  const NamedTensors no_tensors;
  return section("good", parameters, buffers, optimizer, progress, guards, log_length, train_loss, validation, best,
                 same_best, same_best ? no_tensors : best_parameters, same_best ? no_tensors : best_buffers);
}

std::shared_ptr<const TrainingState> decode_good(const Container& container, const TrainingState& of,
                                                 const std::string& who) {
  auto good = std::make_shared<TrainingState>();
  bool same_best = false;
  decode(container, "good", who, good->parameters, good->buffers, good->optimizer, good->progress, good->guards,
         good->log_length, good->train_loss, good->validation, good->best, same_best, good->best_parameters,
         good->best_buffers);
  if (same_best) {
    good->best_parameters = of.best_parameters;
    good->best_buffers = of.best_buffers;
  }
  good->decisions = of.decisions;
  good->settings = of.settings;
  good->model = of.model;
  return good;
}

}  // namespace

std::vector<Section> encode(const TrainingState& state) {
  const auto& [parameters, buffers, optimizer, progress, decisions, guards, best, best_parameters, best_buffers,
               settings, log_length, model, train_loss, validation, good] = state;
  std::vector<Section> sections{section("parameters", parameters),
                                section("buffers", buffers),
                                section("optimizer", optimizer),
                                section("progress", progress),
                                section("decisions", decisions, settings, log_length),
                                section("guards", guards),
                                section("best", best, best_parameters, best_buffers),
                                section("model", model),
                                section("epochs", train_loss, validation)};
  if (good) sections.push_back(good_section(*good, state));
  append_optional(sections, model);
  return sections;
}

namespace {

// Numbers that would put a run that resumes with them out of order. A run does not write them, a forged file may.
void check_numbers(const TrainingState& state, const std::string& who) {
  const auto want = [&](bool holds, const char* what, double got) {
    if (!holds) fail<CheckpointError>(who, ": want ", what, "; got ", got, "; use an earlier checkpoint");
  };
  const double lr = state.decisions.lr, factor = state.progress.lr_factor, seconds = state.progress.seconds;
  want(is_finite(lr) && lr >= 0, "a finite lr >= 0", lr);
  want(factor >= 0 && factor <= 1, "an lr_factor in [0, 1]", factor);
  want(is_finite(seconds) && seconds >= 0, "finite seconds >= 0", seconds);
  if (state.best) {
    const auto& [epoch, step, value, evaluation] = *state.best;
    const auto smallest = static_cast<double>(std::min({std::int64_t{epoch}, step, std::int64_t{evaluation.samples}}));
    want(is_finite(value), "a finite value of the best evaluation", value);
    want(smallest >= 0, "counts >= 0 of the best evaluation", smallest);
  }
  const auto want_all = [&](const char* name, const char* what, auto&& holds) {
    const auto found = state.guards.find(name);
    if (found == state.guards.end()) return;
    for (const double value : found->second) want(holds(value), what, value);
  };
  want_all("evaluated_at", "the step of the last evaluation as a whole number from -1 to 2^53",
           [](double x) { return x >= -1 && x <= 0x1p53 && x == std::floor(x); });
  want_all("healthy_below", "a limit of healthy losses that is a number", [](double x) { return !std::isnan(x); });
  want_all("trained", "0 or 1 for a parameter that is trained", [](double x) { return x == 0 || x == 1; });
}

}  // namespace

TrainingState decode_state(const Container& container, const std::string& who) {
  TrainingState state;
  decode(container, "parameters", who, state.parameters);
  decode(container, "buffers", who, state.buffers);
  decode(container, "optimizer", who, state.optimizer);
  decode(container, "progress", who, state.progress);
  decode(container, "decisions", who, state.decisions, state.settings, state.log_length);
  decode(container, "guards", who, state.guards);
  decode(container, "best", who, state.best, state.best_parameters, state.best_buffers);
  state.model = decode_info(container, who);
  decode(container, "epochs", who, state.train_loss, state.validation);
  if (container.sections.contains("good")) state.good = decode_good(container, state, who);
  check_numbers(state, who);
  if (state.good) check_numbers(*state.good, who);
  return state;
}

}  // namespace train
}  // namespace handrail
