// handrail-report: compares runs by the metrics.csv in their directories, in one page of HTML.
#include <getopt.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/core/system/build.h>
#include <handrail/train/report/comparison.h>

namespace {

constexpr const char* usage =
    "usage: handrail-report DIR... [--output FILE]\n"
    "\n"
    "Compares 1 to 8 runs by the metrics.csv in their directories, in one page of HTML.\n"
    "\n"
    "  DIR            the directory of a run, such as runs/digits/1\n"
    "  --output FILE  the page to write; comparison.html by default\n"
    "  --help         prints this\n"
    "  --version      prints the version of handrail\n";

}  // namespace

int main(int argc, char** argv) try {
  std::filesystem::path output = "comparison.html";
  const option options[] = {{"output", required_argument, nullptr, 'o'},
                            {"help", no_argument, nullptr, 'h'},
                            {"version", no_argument, nullptr, 'v'},
                            {}};
  for (int chosen; (chosen = getopt_long(argc, argv, "o:h", options, nullptr)) != -1;) {
    if (chosen == 'h') return std::fputs(usage, stdout) < 0;
    if (chosen == 'v') return std::printf("handrail-report %s\n", handrail::version()) < 0;
    if (chosen != 'o') return 2;  // getopt_long has said why
    output = optarg;
  }
  const std::vector<std::filesystem::path> runs(argv + optind, argv + argc);
  if (runs.empty()) {
    std::fputs(usage, stderr);
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
