#include <handrail/nn/module.h>

#include <algorithm>

#include <handrail/core/error.h>
#include <handrail/nn/internal/type_name.h>
#include <handrail/nn/standardize.h>

namespace handrail::nn {

// The scales of a layer are children, too: in the order in which a call applies them.
template <class Visit>
void Module::visit_children(Visit&& call) const {
  if (input_scale_) call(input_scale_->options().robust ? Layer::robust_input_name : Layer::input_name, *input_scale_);
  for (const Child& child : children_) call(child.name, *child.module);
  if (output_scale_) call(Layer::output_name, *output_scale_);
}

template <class Visit>
void Module::visit(const std::string& prefix, Visit&& call) const {
  call(*this, prefix);
  visit_children([&](const std::string& name, const Module& child) { child.visit(prefix + name + ".", call); });
}

std::vector<Parameter> Module::parameters() const {
  std::vector<Parameter> all;
  visit("", [&](const Module& module, const std::string& prefix) {
    for (const Parameter& p : module.params_) all.push_back({prefix + p.name, p.role, p.tensor});
  });
  return all;
}

std::vector<Buffer> Module::buffers() const {
  std::vector<Buffer> all;
  visit("", [&](const Module& module, const std::string& prefix) {
    for (const Buffer& b : module.buffers_) all.push_back({prefix + b.name, b.tensor});
  });
  return all;
}

std::vector<const Module*> Module::modules() const {
  std::vector<const Module*> all{this};
  visit_children([&](const std::string&, const Module& child) {
    for (const Module* module : child.modules()) all.push_back(module);
  });
  return all;
}

std::vector<Operation> Module::operations() const {
  return {{.kind = OperationKind::unknown, .type = type_name(*this)}};
}

std::vector<NamedLayer> Module::layers_by_name() {
  std::vector<NamedLayer> all;
  add_layers("", all);
  return all;
}

void Module::add_layers(std::string name, std::vector<NamedLayer>& all) {
  const std::string prefix = name.empty() ? "" : name + ".";
  if (auto* layer = dynamic_cast<Layer*>(this)) all.push_back({std::move(name), layer});
  for (const Child& child : children_) child.module->add_layers(prefix + child.name, all);
}

Index Module::parameter_count() const {
  Index count = 0;
  for (const Parameter& p : parameters()) count += p.tensor.size();
  return count;
}

void Module::freeze() {
  for (const Parameter& p : parameters()) p.tensor.set_requires_grad(false);
}

void Module::unfreeze() {
  for (const Parameter& p : parameters()) p.tensor.set_requires_grad(true);
}

void Module::freeze(std::string_view name) {
  for (const Tensor& tensor : tensors_of("freeze", name)) tensor.set_requires_grad(false);
}

void Module::unfreeze(std::string_view name) {
  for (const Tensor& tensor : tensors_of("unfreeze", name)) tensor.set_requires_grad(true);
}

bool Module::frozen() const {
  const auto all = parameters();
  return !all.empty() && std::ranges::none_of(all, [](const Parameter& p) { return p.tensor.requires_grad(); });
}

// The parameters of the child with that name, or the one parameter with that name.
std::vector<Tensor> Module::tensors_of(const char* asked, std::string_view name) const {
  std::vector<Tensor> found;
  bool known = false;
  std::string names;
  const std::string below = concat(name, ".");
  const auto matches = [&](const std::string& full) {
    names += "\n  " + full;
    const bool match = full == name || full.starts_with(below);
    known |= match;
    return match;
  };
  visit("", [&](const Module& module, const std::string& prefix) {
    if (!prefix.empty()) matches(prefix.substr(0, prefix.size() - 1));
    for (const Parameter& p : module.params_)
      if (matches(prefix + p.name)) found.push_back(p.tensor);
  });
  if (!known) fail<OptionError>(asked, ": want the name of a child or parameter; got '", name, "'; there are:", names);
  return found;
}

void Module::add(std::string name, std::shared_ptr<Module> child) {
  check_name(name);
  children_.push_back({std::move(name), std::move(child)});
}

void Module::swap_children(Module& other) noexcept {
  children_.swap(other.children_);
  input_scale_.swap(other.input_scale_);
  output_scale_.swap(other.output_scale_);
}

Tensor Module::param(std::string name, Role role, Tensor initial) {
  check_name(name);
  initial.set_requires_grad(true);
  params_.push_back({std::move(name), role, initial});
  return initial;
}

Tensor Module::param(std::string name, Tensor initial) {
  const bool is_bias = name == "bias" || name.ends_with("_bias") || initial.shape().rank() < 2;
  return param(std::move(name), is_bias ? Role::bias : Role::weight, std::move(initial));
}

Tensor Module::buffer(std::string name, Tensor initial) {
  check_name(name);
  buffers_.push_back({std::move(name), initial});
  return initial;
}

void Module::check_name(std::string_view name) const {
  constexpr auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '=';
  };
  if (name.empty() || name.size() > 100 || !std::ranges::all_of(name, allowed))
    fail<OptionError>("Module: want a name of 1 to 100 letters, digits, '_', '-' or '='; got '", name, "'");
  const auto taken = [&](const auto& part) { return part.name == name; };
  if (std::ranges::any_of(params_, taken) || std::ranges::any_of(buffers_, taken) ||
      std::ranges::any_of(children_, taken))
    fail<OptionError>("Module: the name '", name, "' is taken");
}

void Layer::set_input_scale(std::shared_ptr<const Standardize> scale) {
  if (scale && (scale->options().invert || scale->options().whiten))
    fail<OptionError>("set_input_scale: want a Standardize without `invert` and `whiten`; got one with");
  input_scale_ = std::move(scale);
}

void Layer::set_output_scale(std::shared_ptr<const Standardize> scale) {
  if (scale && (!scale->options().invert || scale->options().whiten))
    fail<OptionError>("set_output_scale: want a Standardize with `invert` and without `whiten`; got another one");
  output_scale_ = std::move(scale);
}

std::vector<Operation> Layer::call_operations() const {
  std::vector<Operation> all;
  if (input_scale_) append_operations(all, input_name, input_scale_->operations());
  for (Operation& operation : operations()) all.push_back(std::move(operation));
  if (output_scale_) append_operations(all, output_name, output_scale_->operations());
  return all;
}

Tensor Layer::scaled(const Tensor& x) const {
  const Tensor y = forward(input_scale_ ? (*input_scale_)(x) : x);
  return output_scale_ ? (*output_scale_)(y) : y;
}

}  // namespace handrail::nn
