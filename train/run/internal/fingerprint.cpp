#include <handrail/train/run/internal/fingerprint.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <typeinfo>

#include <handrail/core/error.h>
#include <handrail/core/system/build.h>
#include <handrail/nn/internal/type_name.h>
#include <handrail/train/data/internal/data_part.h>
#include <handrail/train/data/internal/hash.h>

namespace handrail::train {
namespace {

// The 64-bit FNV-1a hash of Fowler, Noll and Vo.
class Hash {
 public:
  template <class T>
  void add(std::span<const T> values) {
    for (const std::byte byte : std::as_bytes(values)) hash_ = (hash_ ^ std::to_integer<unsigned>(byte)) * prime;
  }
  std::string text() const {
    TextStream out;
    out << std::hex << hash_;
    return out.str();
  }

 private:
  static constexpr std::uint64_t prime = 0x100000001B3;
  std::uint64_t hash_ = 0xCBF29CE484222325;
};

// Adds some samples to the hash. A data set may generate its samples anew at each reading: these cannot be compared and
// are left out. Returns whether there are none of them.
bool add_some_samples(Hash& hash, const Rows& all) {
  constexpr Index max_samples = 64;
  const DataPart part{.rows = all};
  const Rows rows = sample_rows(part, max_samples);
  const Batch once = gather(part, rows.numbers()), again = gather(part, rows.numbers());
  bool comparable = true;
  const auto add = [&](const Tensor& a, const Tensor& b) {
    const bool same = same_bits(a.span(), b.span());
    comparable = comparable && same;
    if (same) hash.add(a.span());
  };
  add(once.inputs, again.inputs);
  add(once.targets, again.targets);
  return comparable;
}

// The number of samples, and a hash of the row numbers and of the samples.
std::string samples_text(const Rows& all, Index count, const std::function<void()>& poll) {
  Hash hash;
  hash.add<std::uint64_t>(std::array{hash_bytes(std::as_bytes(all.numbers()))});
  if (add_some_samples(hash, all) && all.dataset().in_memory())
    hash.add<std::uint64_t>(std::array{hash_rows(all, poll)});
  return concat(count, ", hash ", hash.text());
}

// The types of the modules, how many are below each, and their settings: as a hash and, for the first of them, in
// words.
std::string model_text(const nn::Module& model) {
  constexpr std::size_t max_named = 12;
  Hash hash;
  std::string names;
  const auto modules = model.modules();
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const nn::Module& module = *modules[i];
    const std::string settings = module.settings();
    hash.add<char>(concat(typeid(module).name(), ' ', module.modules().size(), ' ', settings, ';'));
    if (i < max_named) names += concat(i ? ", " : "", nn::type_name(module), settings.empty() ? "" : " ", settings);
  }
  return concat(names, modules.size() > max_named ? ", ..." : "", ", hash ", hash.text());
}

std::string parameters_text(std::span<const Parameter> parameters) {
  Hash hash;
  for (const Parameter& p : parameters) hash.add<char>(concat(p.name, p.tensor.shape(), ';'));
  return concat(parameters.size(), ", hash ", hash.text());
}

std::string value_of(const std::map<std::string, std::string>& fingerprint, const std::string& name) {
  const auto it = fingerprint.find(name);
  return it == fingerprint.end() ? "none" : it->second;
}

void append(std::string& list, const std::string& name) { list += (list.empty() ? "" : ", ") + name; }

}  // namespace

std::map<std::string, std::string> fingerprint(const TrainerOptions& options, const RunParts& parts) {
  std::map<std::string, std::string> all;
  visit_options(options, [&all]<class T>(const OptionInfo& info, const T& value) {
    if constexpr (TextOption<T>)
      if (info.fixed) all[info.name] = option_text(value);
  });
  all["optimizer"] = parts.optimizer.settings();
  all["normalization"] = parts.normalization ? concat("mean ", option_text(parts.normalization->mean), ", stddev ",
                                                      option_text(parts.normalization->stddev))
                                             : "none";
  all["model"] = model_text(parts.model);
  all["parameters"] = parameters_text(parts.parameters);
  all["training samples"] = samples_text(parts.training, parts.training_samples, parts.poll);
  all["validation samples"] =
      parts.validation ? samples_text(*parts.validation, parts.validation_samples, parts.poll) : "none";
  all["library"] = version();
  all["build"] = build_description();
  return all;
}

void check_fingerprint(const std::map<std::string, std::string>& begun, const std::map<std::string, std::string>& now,
                       const std::vector<std::string>& allow) {
  const auto allowed = [&](const std::string& name) { return std::ranges::count(allow, name) > 0; };
  std::map<std::string, std::string> all = begun;
  all.insert(now.begin(), now.end());
  std::string known, unrecorded, wrong, names;
  for (const auto& [name, unused] : all) {
    append(known, name);
    if (!begun.contains(name) && !allowed(name)) append(unrecorded, name);
  }
  for (const std::string& name : allow)
    if (!all.contains(name))
      fail<OptionError>("resume: want only these names in `allow`: ", known, "; got '", name, "'");
  for (const auto& [name, unused] : all) {
    const bool incomplete = name == "library" && !unrecorded.empty();
    const bool differs = begun.contains(name) && value_of(begun, name) != value_of(now, name);
    if (allowed(name) || !(incomplete || differs)) continue;
    wrong += concat("\n  ", name, ": ", value_of(begun, name), " when the run began, ", value_of(now, name), " now",
                    incomplete ? concat("; the former did not record ", unrecorded) : "");
    append(names, '"' + name + '"');
  }
  if (!wrong.empty())
    fail<CheckpointError>("resume: want the data, model, options and build that the run began with; got others:", wrong,
                          "\n  to resume anyway, with other bits than an uninterrupted run: {.allow = {", names, "}}");
}

}  // namespace handrail::train
