#include <vector>

#include <doctest/doctest.h>
#include <handrail/train/math/correlation.h>

using handrail::train::correlation;
using handrail::train::rank_correlation;

TEST_CASE("the correlation is that of Pearson, also far from 0") {
  const std::vector<double> x{1, 2, 3, 4, 5}, y{2, 1, 4, 3, 5};
  CHECK(correlation(x, y) == doctest::Approx(0.8));
  CHECK(correlation(x, std::vector<double>{9, 7, 5, 3, 1}) == doctest::Approx(-1));
  CHECK(correlation(x, std::vector<double>{3, 3, 3, 3, 3}) == 0);
  std::vector<double> far;
  for (const double value : x) far.push_back(1e9 + value);
  CHECK(correlation(far, y) == doctest::Approx(0.8));
}

TEST_CASE("the rank correlation is that of Spearman") {
  const std::vector<double> x{1, 2, 3, 4, 5}, same{7, 7, 7, 7, 7};
  CHECK(rank_correlation(x, std::vector<double>{2, 4, 6, 8, 90}) == doctest::Approx(1));
  CHECK(rank_correlation(x, std::vector<double>{5, 4, 3, 2, 1}) == doctest::Approx(-1));
  CHECK(rank_correlation(x, std::vector<double>{5, 6, 7, 8, 7}) == doctest::Approx(0.8208).epsilon(1e-3));  // scipy
  CHECK(rank_correlation(x, same) == 0);
}
