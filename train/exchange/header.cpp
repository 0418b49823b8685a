#include <handrail/train/exchange/header.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

#include <handrail/core/error.h>
#include <handrail/train/checkpoints/internal/weights_file.h>
#include <handrail/train/exchange/internal/about.h>
#include <handrail/train/exchange/internal/header_functions.h>
#include <handrail/train/exchange/internal/plan.h>
#include <handrail/train/files/file_system.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

using nn::Operation;
using nn::OperationKind;

bool is_identifier(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto may_follow = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && is_letter(name[0]) && std::ranges::all_of(name, may_follow);
}

// A literal that reads back as the same float.
std::string literal(double value) {
  std::string text;
  append_exact(text, static_cast<float>(value));
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text + "F";
}

// A literal of a text, whatever it contains.
std::string text_literal(std::string_view text) {
  std::string literal = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 32 && byte < 127 && c != '"' && c != '\\' && c != '?';
    if (plain)
      literal += c;
    else  // three digits of base 8: no digit that follows can belong to them
      literal += {'\\', static_cast<char>('0' + (byte >> 6)), static_cast<char>('0' + (byte >> 3 & 7)),
                  static_cast<char>('0' + (byte & 7))};
  }
  return literal + '"';
}

// Writes the arrays of constants and the statements of predict, operation by operation.
class Body {
 public:
  std::string arrays, statements;

  void add(const PlannedOperation& planned) {
    const Operation& operation = planned.operation;
    const std::string size =
        concat(planned.input.size() / std::max<Index>(planned.input.cols(), 1), ", ", planned.input.cols());
    switch (operation.kind) {
      case OperationKind::linear: {
        const std::string weight = array(operation.constants[0].span());
        const std::string bias = operation.constants[1].defined() ? array(operation.constants[1].span()) : "nullptr";
        statements += concat("  detail::linear(a, ", size, ", ", planned.output.cols(), ", ", weight, ", ", bias,
                             ", b);\n  std::swap(a, b);\n");
        return;
      }
      case OperationKind::relu:
        return each("detail::relu(x)", planned);
      case OperationKind::tanh:
        return each("detail::tanh(x)", planned);
      case OperationKind::sigmoid:
        return each("detail::sigmoid(x)", planned);
      case OperationKind::gelu:
        return each("detail::gelu(x)", planned);
      case OperationKind::softplus:
        return each("detail::softplus(x)", planned);
      case OperationKind::clamp:
        return each(concat("detail::clamped(x, ", literal(operation.first), ", ", literal(operation.second), ")"),
                    planned);
      case OperationKind::smooth_clip:
        return call("smooth_clip(a, " + size, operation.constants, "");
      case OperationKind::add:
        return with_constant(" + ", planned);
      case OperationKind::subtract:
        return with_constant(" - ", planned);
      case OperationKind::multiply:
        return with_constant(" * ", planned);
      case OperationKind::divide:
        return with_constant(" / ", planned);
      case OperationKind::layer_norm:
        return call(concat("layer_norm(a, ", size), operation.constants, concat(", ", literal(operation.first), ", b"));
      case OperationKind::batch_norm:
        return batch_norm(operation, size);
      case OperationKind::impute:
        return call("impute(a, " + size, operation.constants, "");
      case OperationKind::flatten:
      case OperationKind::unknown:  // which plan_of refuses
        return;
    }
  }

 private:
  // The name of a new array with these values.
  std::string array(std::span<const Scalar> values) {
    const std::string name = concat("constants_", count_++);
    arrays += concat("inline constexpr float ", name, "[", values.size(), "] = {");
    for (std::size_t i = 0; i < values.size(); ++i)
      arrays += (i % 8 == 0 ? "\n    " : " ") + literal(static_cast<double>(values[i])) + ",";
    arrays += "\n};\n";
    return "detail::" + name;
  }
  void call(const std::string& start, const std::vector<Tensor>& constants, const std::string& end) {
    statements += "  detail::" + start;
    for (const Tensor& constant : constants) statements += ", " + array(constant.span());
    statements += end + ");\n";
  }
  void each(const std::string& value, const PlannedOperation& planned) {
    statements += concat("  for (std::size_t i = 0; i < ", planned.input.size(),
                         "; ++i) {\n    const float x = a[i];\n    a[i] = ", value, ";\n  }\n");
  }
  void with_constant(const char* sign, const PlannedOperation& planned) {
    const std::string constant = array(planned.operation.constants[0].span());
    statements += concat("  for (std::size_t i = 0; i < ", planned.input.size(), "; ++i) a[i] = a[i]", sign, constant,
                         "[i % ", planned.input.cols(), "];\n");
  }
  void batch_norm(const Operation& operation, const std::string& size) {
    // 1 / standard deviation as batch_norm computes it: square root and quotient are rounded exactly everywhere.
    const Tensor inverse(operation.constants[3].shape());
    const auto eps = static_cast<Scalar>(operation.first);
    std::ranges::transform(operation.constants[3].span(), inverse.mutable_data(),
                           [eps](Scalar variance) { return 1 / std::sqrt(variance + eps); });
    call("batch_norm(a, " + size, {operation.constants[0], operation.constants[1], operation.constants[2], inverse},
         "");
  }

  int count_ = 0;
};

std::string normalize_function(const Normalization& constants) {
  // As ByteDataset::gather_normalized computes them.
  const std::string scale = literal(1 / (255 * constants.stddev));
  const std::string shift = literal(-constants.mean / constants.stddev);
  return concat(
      "\n/// Makes inputs of raw bytes, such as the pixels of an image. bytes and x: [input_size].\n"
      "inline void normalize(const unsigned char* bytes, float* x) {\n"
      "  for (std::size_t i = 0; i < input_size; ++i)\n    x[i] = detail::mul_add(static_cast<float>(bytes[i]), ",
      scale, ", ", shift, ");\n}\n");
}

std::string predict_function(const ExportPlan& plan, const std::string& statements) {
  Index widest = plan.input.size();
  for (const PlannedOperation& planned : plan.operations) widest = std::max(widest, planned.output.size());
  return concat(
      "\n/// The outputs of the model for one sample. x: [input_size], y: [output_size]. Threads may call it at once.\n"
      "inline void predict(const float* x, float* y) {\n  float first[",
      widest, "] = {}, second[", widest,
      "] = {};\n  float *a = first, *b = second;\n  for (std::size_t i = 0; i < input_size; ++i) a[i] = x[i];\n",
      statements,
      "  static_cast<void>(b);\n  for (std::size_t i = 0; i < output_size; ++i) y[i] = a[i];\n}\n"
      "inline std::array<float, output_size> predict(const std::array<float, input_size>& x) {\n"
      "  std::array<float, output_size> y{};\n  predict(x.data(), y.data());\n  return y;\n}\n");
}

std::string header_text(const ExportPlan& plan, const ModelInfo& info, const std::string& name) {
  Body body;
  for (const PlannedOperation& planned : plan.operations) body.add(planned);
  std::string text =
      concat(header_start, "\nnamespace ", name, " {\n\ninline constexpr std::size_t input_size = ", plan.input.size(),
             ", output_size = ", plan.output.size(), ";\n");
  if (!info.class_names.empty()) {
    text += "inline constexpr const char* class_names[] = {";
    for (const std::string& class_name : info.class_names) text += text_literal(class_name) + ", ";
    text += "};\n";
  }
  text += concat("\nnamespace detail {\n", header_functions, "\n", body.arrays, "\n}  // namespace detail\n");
  if (info.normalization) text += normalize_function(*info.normalization);
  text += predict_function(plan, body.statements);
  if (info.task == Task::multiclass) text += header_class_function;
  return text + concat("\n}  // namespace ", name, "\n", header_end);
}

}  // namespace

void export_header(const nn::Layer& model, const ModelInfo& info, const std::filesystem::path& path,
                   const HeaderOptions& options, FileSystem& files) {
  const std::string who = about_file("export_header", path);
  if constexpr (sizeof(Scalar) != sizeof(float))
    fail<OptionError>(who, ": want the library in float, whose kernels the header repeats; got the one in double");
  if (!is_identifier(options.name))
    fail<OptionError>(who, ": want a name of letters, digits and '_'; got ", quoted_name(options.name));
  const ExportPlan plan = plan_of(model, info, who);
  finite_state(model, who);
  const std::string text = header_text(plan, info, options.name);
  const std::array<std::string_view, 1> pieces{text};
  write_file(files, path, pieces, who);
}

}  // namespace handrail::train
