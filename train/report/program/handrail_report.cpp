// handrail-report: compares runs by the metrics.csv in their directories, in one page of HTML.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <handrail/core/error.h>
#include <handrail/train/report/comparison.h>

int main(int argc, char** argv) try {
  CLI::App app("Compares runs by the metrics.csv in their directories, in one page of HTML.", "handrail-report");
  std::vector<std::filesystem::path> runs;
  std::filesystem::path output = "comparison.html";
  app.add_option("DIR", runs, "directories of runs, such as runs/digits/1")->required()->expected(1, 8);
  app.add_option("--output", output, "the page to write")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return 2;
  }
  const std::string page = handrail::train::comparison_page(runs);
  std::ofstream file(output, std::ios::binary);
  if (!(file << page) || !file.flush())
    handrail::fail<handrail::Error>("cannot write '", output.string(),
                                    "'; want a path in a folder that can be written to");
  std::printf("%s\n", output.string().c_str());
} catch (const std::exception& error) {
  std::fprintf(stderr, "handrail-report: %s\n", error.what());
  return 1;
}
