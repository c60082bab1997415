//! Copies, fills and comparisons: short and long, overlapping or not, of lengths known early or late.

use crate::runtime::Reader;

/// memmove, memset and memcmp at places and of lengths that are only known now.
pub fn variable(from: &mut Reader) -> Vec<u8> {
    let (to, start, length, fill) = (from.u16(), from.u16(), from.u16(), from.u8());
    let (to, start, length) = (to as usize, start as usize, length as usize);
    let mut data = from.rest().to_vec();
    data.copy_within(start..start + length, to);
    let middle = data.len() / 2;
    let (head, tail) = data.split_at_mut(middle);
    let order = head[..].cmp(&tail[..middle]) as i8;
    let same = head[..length.min(middle)] == tail[..length.min(middle)];
    head[..length.min(middle)].fill(fill);
    data.extend([order as u8, same as u8]);
    data
}

macro_rules! lengths {
    ($data:ident $fill:ident $($length:literal)*) => { $({
        // one place after the other, so that each copy overlaps the next
        let from: [u8; $length] = $data[1..1 + $length].try_into().unwrap();
        $data[..$length].copy_from_slice(&from);
        $data.copy_within(0..$length, 2);
        $data[3..3 + $length / 2].fill($fill);
        $data.push(($data[..$length] < $data[100..100 + $length]) as u8);
        $data.push(($data[..$length] == $data[1..1 + $length]) as u8);
    })* };
}

/// The same with lengths that the compiler knows, on both sides of what it writes out itself.
pub fn constant(from: &mut Reader) -> Vec<u8> {
    let fill = from.u8();
    let mut data = from.rest().to_vec();
    lengths!(data fill 1 2 3 7 8 15 16 31 33 63 64 65 72 100 128 200);
    data
}

#[inline(never)]
unsafe fn move_value(to: *mut [u8; 200], from: *const [u8; 200]) {
    *to = *from
}

/// Assigns a large value to itself, which is a copy between equal pointers.
pub fn assign(from: &mut Reader) -> Vec<u8> {
    let mut data: [u8; 200] = from.rest().try_into().unwrap();
    let place = core::hint::black_box(&mut data as *mut [u8; 200]);
    unsafe { move_value(place, place) };
    data.to_vec()
}
