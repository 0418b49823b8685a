#pragma once

#include "gallery.h"

// The mistakes of optimisation, one function each.

namespace gallery {

Row o1();
Row o2();
Row o3();
Row o4();
Row o5();
Row o6();
Row o7();
Row o8();
Row o9();
Row o10();

}  // namespace gallery
