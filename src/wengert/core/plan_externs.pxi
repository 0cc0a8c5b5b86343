# What plans use of C++: csrc/include/wengert/plan.h and plan_region.h.

cdef extern from "wengert/plan.h" namespace "wg":
    cppclass PlanRegion
    enum class Place "wg::Place" (uint8_t):
        kArena "wg::Place::kArena"
        kRegister "wg::Place::kRegister"
        kOutside "wg::Place::kOutside"
        kTape "wg::Place::kTape"
    enum class StepKind "wg::StepKind" (uint8_t):
        kCall "wg::StepKind::kCall"
        kGroup "wg::StepKind::kGroup"
        kScalars "wg::StepKind::kScalars"
        kCopy "wg::StepKind::kCopy"
        kHost "wg::StepKind::kHost"
    cppclass PlanValue:
        Layout* layout
        uint8_t dtype
        Place place
        int32_t owner
        int32_t slot
        int32_t call
        int32_t first
        int32_t last
        int64_t delta
        int64_t offset
        int64_t low, high
    cppclass PlanCall:
        const OpInfo* op
        Attr* attr
        int32_t first_in
        int32_t nin
        int32_t out
        int32_t added
        int32_t parts
        shared_ptr[PlanRegion] region
    cppclass BlockGroup:
        int64_t numel
    cppclass PlanFork:
        int32_t begin
        int32_t end
        vector[vector[int32_t]] branches
        vector[int32_t] after
    cppclass PlanStep:
        StepKind kind
        int32_t index
        int32_t source "from"
        int32_t to
        vector[int32_t] calls
        vector[int32_t] reads
    cppclass CPlan "wg::Plan":
        int outside(int, Layout*)
        int measure(int, Layout*)
        int number(const Array&)
        int call(const OpInfo*, const int32_t*, int, Attr*)
        void host(const int32_t*, int)
        void fence()
        int result(int32_t)
        void write(int32_t, int32_t)
        int finish(cbool, cbool, cbool)
        void bind(int, char*)
        cppclass Callbacks:
            int (*host)(void*, int) noexcept
            int (*interrupt)(void*) noexcept
            void* arg
        cppclass Feed:
            int32_t slot
            char* data
            int64_t bytes
        cppclass Made:
            int dtype
            Layout* layout
            int64_t row_bytes
        int region(unique_ptr[PlanRegion]&&, const int32_t*, int, const Made*, int)
        int read(int32_t, const Array&)
        int fill(int32_t, const Array&)
        int run(const Callbacks&, int64_t, const Feed*, int64_t)
        vector[PlanValue] values
        vector[PlanCall] calls
        vector[int32_t] operands
        vector[PlanStep] steps
        vector[BlockGroup] groups
        vector[int32_t] slots
        vector[PlanFork] forks
        size_t arena_bytes
        cbool running
        cbool timed
        int64_t done
        int64_t place[2]
        int32_t reached
        vector[double] seconds

cdef extern from "wengert/plan_region.h" namespace "wg":
    int kDraw
    int kDrawOn
    int kStandAt
    int kPutBack
    enum class RegionKind "wg::RegionKind" (uint8_t):
        kCall "wg::RegionKind::kCall"
        kCond "wg::RegionKind::kCond"
        kWhile "wg::RegionKind::kWhile"
        kScan "wg::RegionKind::kScan"
        kHost "wg::RegionKind::kHost"
        kReplay "wg::RegionKind::kReplay"
    cppclass PlanPart:
        CPlan* plan
        vector[int32_t] ins "in"
        vector[int32_t] out
        CPlan.Callbacks callbacks "with"
        cbool draws
    cppclass PlanTape "wg::Tape":
        int64_t bytes()
        int64_t count()
        char* row(int64_t)
    cppclass PlanRegion:
        RegionKind kind
        vector[PlanPart] parts
        int32_t work
        int carried
        int scanned
        int64_t length
        cbool reverse
        cbool draws
        vector[unique_ptr[PlanTape]] tapes
