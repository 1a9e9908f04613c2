#include "candidate/op.h"

namespace portwright::candidate {
namespace {

#define PW_REDUCTION(name)                                         \
  {                                                                \
#name "(a, /, axis=None, keepdims=False)", kBoth, [](Call& c) {  \
     const mx::array& a = c.array(0);                               \
     return c.make(mx::name(a, c.axes(1, a.ndim()), c.boolean(2))); \
   } \
  }

#define PW_SPREAD(name)                                              \
  {                                                                  \
#name "(a, /, axis=None, keepdims=False, ddof=0)",                 \
   kBoth,                                                             \
   [](Call& c) {                                                      \
     const mx::array& a = c.array(0);                                 \
     return c.make(                                                   \
         mx::name(a, c.axes(1, a.ndim()), c.boolean(2), c.integer(3))); \
   } \
  }

#define PW_ARGUMENT(name)                                         \
  {                                                               \
#name "(a, /, axis=None, keepdims=False)", kBoth, [](Call& c) { \
     const mx::array& a = c.array(0);                             \
     return c.make(                                               \
         c.has(1) ? mx::name(a, c.integer(1), c.boolean(2))       \
                  : mx::name(a, c.boolean(2)));                   \
   } \
  }

/// Without an axis: over the flattened array.
#define PW_SCAN(name)                                               \
  {                                                                 \
#name "(a, /, axis=None, *, reverse=False, inclusive=True)",      \
   kBoth,                                                            \
   [](Call& c) {                                                     \
     const mx::array& a = c.array(0);                                \
     const bool reverse = c.boolean(2), inclusive = c.boolean(3);    \
     return c.make(                                                  \
         c.has(1)                                                    \
             ? mx::name(a, c.integer(1), reverse, inclusive)         \
             : mx::name(                                             \
                   mx::reshape(a, {-1}), 0, reverse, inclusive));    \
   } \
  }

/// Without an axis: over the flattened array.
#define PW_SORT(name)                                            \
  {                                                              \
#name "(a, /, axis=-1)", kModule, [](Call& c) {                \
     return c.make(                                               \
         c.has(1) ? mx::name(c.array(0), c.integer(1))            \
                  : mx::name(c.array(0)));                        \
   } \
  }

#define PW_PARTITION(name)                                                  \
  {                                                                         \
#name "(a, /, kth, axis=-1)", kModule, [](Call& c) {                      \
     return c.make(                                                          \
         c.has(2) ? mx::name(c.array(0), c.integer(1), c.integer(2))         \
                  : mx::name(c.array(0), c.integer(1)));                     \
   } \
  }

const OpSpec kReduceOps[] = {
    PW_REDUCTION(all),
    PW_REDUCTION(any),
    PW_REDUCTION(logsumexp),
    PW_REDUCTION(max),
    PW_REDUCTION(mean),
    PW_REDUCTION(min),
    PW_REDUCTION(prod),
    PW_REDUCTION(sum),
    PW_SPREAD(std),
    PW_SPREAD(var),
    PW_ARGUMENT(argmax),
    PW_ARGUMENT(argmin),
    PW_SCAN(cummax),
    PW_SCAN(cummin),
    PW_SCAN(cumprod),
    PW_SCAN(cumsum),
    PW_SCAN(logcumsumexp),
    PW_SORT(argsort),
    PW_SORT(sort),
    PW_PARTITION(argpartition),
    PW_PARTITION(partition),
    {"topk(a, /, k, axis=-1)",
     kModule,
     [](Call& c) {
       return c.make(
           c.has(2) ? mx::topk(c.array(0), c.integer(1), c.integer(2))
                    : mx::topk(c.array(0), c.integer(1)));
     }},
};

#undef PW_REDUCTION
#undef PW_SPREAD
#undef PW_ARGUMENT
#undef PW_SCAN
#undef PW_SORT
#undef PW_PARTITION

}  // namespace

std::span<const OpSpec> reduce_ops() {
  return kReduceOps;
}

}  // namespace portwright::candidate
