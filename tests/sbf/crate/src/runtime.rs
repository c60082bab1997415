//! What a framework would bring: the input, the answer, a heap.

use core::alloc::{GlobalAlloc, Layout};

extern "C" {
    fn sol_set_return_data(data: *const u8, length: u64);
}

/// Reads arguments one after the other.
pub struct Reader<'a>(&'a [u8]);

macro_rules! number {
    ($($name:ident)*) => { $(
        pub fn $name(&mut self) -> $name {
            let (head, tail) = self.0.split_at(size_of::<$name>());
            self.0 = tail;
            $name::from_le_bytes(head.try_into().unwrap())
        }
    )* };
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }
    number!(u8 u16 u32 i32 u64 i64 u128 i128);
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }
}

/// Input without accounts: their number (0), the length of the data, the data.
pub unsafe fn instruction_data<'a>(input: *const u8) -> &'a [u8] {
    let length = (input.add(8) as *const u64).read();
    core::slice::from_raw_parts(input.add(16), length as usize)
}

pub fn answer(data: &[u8]) {
    unsafe { sol_set_return_data(data.as_ptr(), data.len() as u64) }
}

/// Hands out the heap from its end downwards; the first word holds the position.
struct Bump;

const HEAP: usize = 0x3_0000_0000;
const HEAP_BYTES: usize = 32 * 1024;

unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let position = HEAP as *mut usize;
        let end = if *position == 0 {
            HEAP + HEAP_BYTES
        } else {
            *position
        };
        let start = end.saturating_sub(layout.size()) & !(layout.align() - 1);
        if start < HEAP + size_of::<usize>() {
            return core::ptr::null_mut();
        }
        *position = start;
        start as *mut u8
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP_OF_PROGRAM: Bump = Bump;
