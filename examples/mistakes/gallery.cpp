#include "gallery.h"

#include <vector>

#include "pairs_m.h"
#include "pairs_o.h"

namespace gallery {

std::span<const Row> rows() {
  static const std::vector<Row> all{o1(), o2(), o3(), o4(), o5(), o6(), o7(), o8(), o9(),  o10(), m1(),
                                    m2(), m3(), m4(), m5(), m6(), m7(), m8(), m9(), m10(), m11(), m12()};
  return all;
}

}  // namespace gallery
