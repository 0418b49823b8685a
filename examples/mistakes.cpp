// mistakes: the 22 training mistakes, each run the wrong way and the default way: `mistakes`, `mistakes O3`, `--seed 2`
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mistakes/gallery.h"

namespace {

using gallery::Outcome, gallery::Row, gallery::Side;

// A column of text, broken between words.
std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (text.size() > width) {
    const std::size_t space = text.rfind(' ', width);
    const std::size_t end = space == std::string_view::npos || space == 0 ? width : space;
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(' ', end)));
  }
  lines.emplace_back(text);
  return lines;
}

struct Column {
  std::string_view text;
  std::size_t width;
};

// Side by side, two spaces apart, as many lines as the longest needs.
void print_columns(std::initializer_list<Column> columns) {
  std::vector<std::vector<std::string>> cells;
  std::size_t height = 0;
  for (const Column& column : columns) {
    cells.push_back(wrapped(column.text, column.width));
    height = std::max(height, cells.back().size());
  }
  for (std::size_t line = 0; line < height; ++line) {
    std::string out;
    const Column* column = columns.begin();
    for (std::size_t c = 0; c < cells.size(); ++c, ++column) {
      std::string cell = line < cells[c].size() ? cells[c][line] : "";
      cell.resize(column->width, ' ');
      out += (c ? "  " : "") + cell;
    }
    std::printf("%s\n", out.substr(0, out.find_last_not_of(' ') + 1).c_str());
  }
}

const char* verdict(const Side& side) { return side.failed ? "FAILS" : "holds"; }

void print_rule() { std::printf("%s\n", std::string(120, '-').c_str()); }

void print_row(std::string_view id, std::string_view mistake, const Side* wrong, const Side* handrail) {
  print_columns({{id, 3},
                 {mistake, 22},
                 {wrong ? verdict(*wrong) : "", 5},
                 {wrong ? wrong->evidence : "the wrong way", 36},
                 {handrail ? verdict(*handrail) : "", 5},
                 {handrail ? handrail->evidence : "by default", 37}});
}

void show_all(std::uint64_t seed) {
  const auto start = std::chrono::steady_clock::now();
  print_row("", "mistake", nullptr, nullptr);
  print_rule();
  std::size_t as_claimed = 0;
  for (const Row& row : gallery::rows()) {
    const Outcome outcome = row.run(seed);
    print_row(row.id, row.mistake, &outcome.wrong, &outcome.handrail);
    std::fflush(stdout);
    as_claimed += outcome.wrong.failed && !outcome.handrail.failed;
  }
  print_rule();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%zu of %zu: the wrong way fails, the default holds. Seed %llu, %.1f s. More of one: mistakes O3\n",
              as_claimed, gallery::rows().size(), static_cast<unsigned long long>(seed), seconds.count());
}

void show_one(const Row& row) {
  constexpr std::uint64_t seeds = 10;
  std::printf("%s  %s\n\n", row.id, row.mistake);
  print_columns({{"wrong way", 10}, {row.wrong_way, 108}});
  print_columns({{"default", 10}, {"the Trainer as it is, on the same model and data, from the same seed", 108}});
  print_columns({{"fails when", 10}, {row.criterion, 108}});
  std::printf("\n");
  print_columns({{"seed", 4}, {"", 5}, {"the wrong way", 50}, {"", 5}, {"by default", 48}});
  print_rule();
  int wrong = 0, handrail = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = row.run(seed);
    print_columns({{std::to_string(seed), 4},
                   {verdict(outcome.wrong), 5},
                   {outcome.wrong.evidence, 50},
                   {verdict(outcome.handrail), 5},
                   {outcome.handrail.evidence, 48}});
    std::fflush(stdout);
    wrong += outcome.wrong.failed;
    handrail += outcome.handrail.failed;
  }
  print_rule();
  std::printf("the wrong way fails on %d of %d seeds, the default on %d\n\n", wrong, static_cast<int>(seeds), handrail);
  std::printf("to give the protection up: %s\n", row.opt_out);
}

int list(std::string_view unknown) {
  std::fprintf(stderr, "mistakes: want one of these, or none for all; got '%.*s'\n", static_cast<int>(unknown.size()),
               unknown.data());
  for (const Row& row : gallery::rows()) std::fprintf(stderr, "  %-3s %s\n", row.id, row.mistake);
  std::fprintf(stderr, "  --seed N, of the table: a whole number, by default 1\n");
  return 1;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

int main(int argc, char** argv) try {
  handrail::set_num_threads(1);  // the models are small: threads would wait for each other, to the same results
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (arguments.empty()) return show_all(1), 0;
  if (arguments[0] == "--seed") {
    const auto seed = arguments.size() == 2 ? number(arguments[1]) : std::nullopt;
    if (!seed) return list(arguments.back());
    return show_all(*seed), 0;
  }
  const auto rows = gallery::rows();
  const auto row = std::ranges::find(rows, arguments[0], &Row::id);
  if (row == rows.end() || arguments.size() > 1) return list(arguments.back());
  show_one(*row);
} catch (const std::exception& error) {
  std::fprintf(stderr, "mistakes: %s\n", error.what());
  return 1;
}
