#pragma once

#include "gallery.h"

// The mistakes of monitoring, one function each.

namespace gallery {

Row m1();
Row m2();
Row m3();
Row m4();
Row m5();
Row m6();
Row m7();
Row m8();
Row m9();
Row m10();
Row m11();
Row m12();

}  // namespace gallery
