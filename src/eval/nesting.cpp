#include "eval/nesting.h"

namespace portwright::eval {
namespace {

thread_local uint32_t nesting = 0;

}  // namespace

Nesting::Nesting(Interpreter& interp) {
  if (nesting >= interp.limits().depth) {
    interp.raise("RecursionError", "maximum recursion depth exceeded");
  }
  ++nesting;
}

Nesting::~Nesting() {
  --nesting;
}

}  // namespace portwright::eval
