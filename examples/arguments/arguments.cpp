#include "arguments/arguments.h"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <type_traits>

#include <CLI/CLI.hpp>

#include <handrail/core/system/parallel.h>
#include <handrail/train/option/option.h>

using namespace handrail;

namespace {

// Each type of option has parse(text, value), which returns whether the text is one of its values, and form(value),
// which says what these look like.
bool parse(const std::string& text, bool& value) {
  value = text == "on" || text == "true";
  return value || text == "off" || text == "false";
}
std::string form(bool) { return "on|off"; }

template <class Number>
requires(std::integral<Number> || std::floating_point<Number>) bool parse(const std::string& text, Number& value) {
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  return error == std::errc() && end == last;
}
template <class Number>
requires(std::integral<Number> || std::floating_point<Number>) std::string form(Number) {
  return std::integral<Number> ? "whole number" : "number";
}

bool parse(const std::string& text, train::Seed& value) {
  value.drawn = false;
  return parse(text, value.value);
}
std::string form(const train::Seed& value) { return form(value.value); }

bool parse(const std::string& text, std::string& value) {
  value = text;
  return true;
}
std::string form(const std::string&) { return "text"; }

bool parse(const std::string& text, std::filesystem::path& value) {
  value = text;
  return true;
}
std::string form(const std::filesystem::path&) { return "path"; }

template <class E>
requires std::is_enum_v<E>
bool parse(const std::string& text, E& value) {
  const auto names = names_of(value);
  const auto name = std::ranges::find(names, text);
  if (name == names.end()) return false;
  value = static_cast<E>(name - names.begin());
  return true;
}
template <class E>
requires std::is_enum_v<E> std::string form(E value) {
  std::string text;
  for (const char* name : names_of(value)) text += concat(text.empty() ? "" : "|", name);
  return text;
}

template <class T>
concept Plain = requires(const std::string& text, T& value) {
  parse(text, value);
};
// Options that can be given as text: plain ones, and those that can be off or automatic instead.
template <class T>
concept Parsed = Plain<T> || requires {
  requires Plain<typename T::Value>;
};

bool is_none(const std::string& text, Off) { return text == "off"; }
bool is_none(const std::string& text, Auto) { return text == "auto" || text == "automatic"; }

template <Plain T, class None>
bool parse(const std::string& text, ValueOr<T, None>& value) {
  if (is_none(text, None{})) {
    value = None{};
    return true;
  }
  T given{};
  if (!parse(text, given)) return false;
  value = given;
  return true;
}
template <Plain T, class None>
std::string form(const ValueOr<T, None>&) {
  return form(T{}) + (std::same_as<None, Off> ? "|off" : "|auto");
}

// "guards.slow_progress" is --guards-slow-progress, in the group "guards".
std::string flag(std::string name) {
  std::ranges::replace(name, '_', '-');
  std::ranges::replace(name, '.', '-');
  return "--" + name;
}
std::string group(const std::string& name) {
  const auto dot = name.find('.');
  return dot == std::string::npos ? "Training" : "Training, " + name.substr(0, dot);
}

void run_parser(CLI::App& app, const std::vector<std::string>& given) {
  try {
    app.parse(std::vector<std::string>(given));
  } catch (const CLI::CallForHelp&) {
    throw Arguments::Help(app.help());
  } catch (const CLI::ParseError& error) {
    fail<OptionError>("arguments: ", error.what(), "; --help lists all options");
  }
}

}  // namespace

Arguments::Arguments(int argc, const char* const* argv)
    : app_(std::make_unique<CLI::App>("", std::filesystem::path(argc > 0 ? argv[0] : "").filename().string())),
      given_(argv + std::min(argc, 1), argv + argc) {
  std::ranges::reverse(given_);
  app_->allow_extras();
}

Arguments::~Arguments() = default;

std::string Arguments::get(const std::string& name, std::string otherwise, const std::string& help) {
  app_->add_option_function<std::string>(
          "--" + name, [](const std::string&) {}, help)
      ->default_str(otherwise)
      ->group("This example");
  CLI::App alone;  // that knows this option only: the others are still to come
  alone.allow_extras();
  alone.set_help_flag();
  alone.add_option("--" + name, otherwise);
  run_parser(alone, given_);
  return otherwise;
}

std::string Arguments::run_to_resume() {
  return get("resume", "", "the directory of a run that was interrupted, to continue it");
}

train::TrainerOptions Arguments::options(train::TrainerOptions o) {
  std::string wrong;
  const auto add = [&]<class T>(const std::string& name, T& value, const std::string& help) {
    const auto take = [&wrong, &value, name](const std::string& text) {
      if (!parse(text, value)) wrong += concat("\n  want a ", form(value), " after '", name, "'; got '", text, "'");
    };
    CLI::Option* option = app_->add_option_function<std::string>(name, take, help);
    return option->type_name(form(value))->default_str(option_text(value));
  };
  visit_options(o, [&]<class T>(const OptionInfo& info, T& value) {
    if (info.name == "checkpoints.dir") return;  // is --runs
    if constexpr (Parsed<T>) add(flag(info.name), value, info.help)->group(group(info.name));
  });
  Index threads = num_threads();
  std::string runs = o.checkpoints ? o.checkpoints->dir.string() : "off";
  add("--threads", threads, "the number of threads")->group("Training");
  add("--runs", runs, "the folder of all runs, or off for no checkpoints")->type_name("path|off")->group("Training");

  run_parser(*app_, given_);
  std::string unknown;
  for (const std::string& argument : app_->remaining())
    if (argument.starts_with("--")) unknown += concat("\n  unknown option '", argument, "'");
  if (unknown.empty() && app_->remaining_size() > 0)
    unknown = concat("\n  want --name value; got '", app_->remaining().front(), "'");
  wrong += unknown;
  if (!wrong.empty()) fail<OptionError>("arguments:", wrong, "\n  --help lists all options");

  if (runs == "off")
    o.checkpoints = off;
  else if (o.checkpoints)
    o.checkpoints->dir = runs;
  else
    o.checkpoints = train::CheckpointOptions{.dir = runs};
  set_num_threads(static_cast<int>(std::clamp<Index>(threads, -1, 1 << 20)));  // which refuses what it cannot do
  validate(o);
  return o;
}

int exit_status(const char* program, const std::exception& error) {
  if (dynamic_cast<const Arguments::Help*>(&error)) {
    std::printf("%s", error.what());
    return 0;
  }
  std::fprintf(stderr, "%s: %s\n", program, error.what());
  return dynamic_cast<const OptionError*>(&error) ? 2 : 1;
}
