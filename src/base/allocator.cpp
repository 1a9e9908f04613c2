#include "base/allocator.h"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace portwright::base {

void tune_allocator() {
#ifdef __GLIBC__
  // Freeing a tensor would have all small free chunks merged each time.
  ::mallopt(M_MXFAST, 0);
#endif
}

}  // namespace portwright::base
