//! Guest registers as operands: in host registers, or in the vCPU and used from there, as the host can with most instructions.

use super::Emitter;
use dynasmrt::DynasmApi;
use dynasmrt::dynasm;

/// Instructions of the host that have a register or storage on either side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alu {
    Add,
    Sub,
    And,
    Or,
    Xor,
    /// Sets the flags alone.
    Cmp,
}

/// Where GPR `n` is, from rbp.
pub fn gpr_at(n: usize) -> i8 {
    (8 * n as i32 - 128) as i8
}

impl Emitter<'_> {
    /// The host register that GPR `n` lives in, if it does. Counts the use.
    fn place(&mut self, n: usize) -> Option<u8> {
        self.uses[n] += 1;
        self.host[n]
    }

    /// A host register that holds GPR `n`: its own, or `scratch`, into which it is loaded. Not to be changed unless it is `scratch`.
    pub fn src(&mut self, n: usize, scratch: u8) -> u8 {
        self.place(n).unwrap_or_else(|| {
            self.load_gpr(scratch, n);
            scratch
        })
    }

    /// Loads GPR `n` into `host`, which may then be changed.
    pub fn get(&mut self, n: usize, host: u8) {
        match self.place(n) {
            Some(own) => dynasm!(self.a ; mov Rq(host), Rq(own)),
            None => self.load_gpr(host, n),
        }
    }

    /// Loads the low word of GPR `n` into `host`, zero-extended.
    pub fn get_word(&mut self, n: usize, host: u8) {
        let near = gpr_at(n);
        match self.place(n) {
            Some(own) => dynasm!(self.a ; mov Rd(host), Rd(own)),
            None => dynasm!(self.a ; mov Rd(host), [BYTE rbp + near]),
        }
    }

    /// Loads the low word of GPR `n` into `host`, sign-extended.
    pub fn get_signed_word(&mut self, n: usize, host: u8) {
        let near = gpr_at(n);
        match self.place(n) {
            Some(own) => dynasm!(self.a ; movsxd Rq(host), Rd(own)),
            None => dynasm!(self.a ; movsxd Rq(host), DWORD [BYTE rbp + near]),
        }
    }

    /// The host register to compute GPR `n` in: its own, or `scratch`. [`Emitter::put`] must follow. Sources must have been used before it is written.
    pub fn dst(&mut self, n: usize, scratch: u8) -> u8 {
        self.place(n).unwrap_or(scratch)
    }

    /// GPR `n` ← `host`.
    pub fn put(&mut self, n: usize, host: u8) {
        match self.place(n) {
            Some(own) if own == host => {}
            Some(own) => dynasm!(self.a ; mov Rq(own), Rq(host)),
            None => {
                let near = gpr_at(n);
                dynasm!(self.a ; mov [BYTE rbp + near], Rq(host));
            }
        }
    }

    fn load_gpr(&mut self, host: u8, n: usize) {
        let near = gpr_at(n);
        dynasm!(self.a ; mov Rq(host), [BYTE rbp + near]);
    }

    /// `host` ← `value`, in the shortest way that leaves the flags alone.
    pub fn constant(&mut self, host: u8, value: u64) {
        if let Ok(v) = u32::try_from(value) {
            dynasm!(self.a ; mov Rd(host), v as i32);
        } else if let Ok(v) = i32::try_from(value as i64) {
            dynasm!(self.a ; mov Rq(host), v);
        } else {
            dynasm!(self.a ; mov Rq(host), QWORD value as i64);
        }
    }

    /// `host` ← `host` f GPR `n`. The flags are the host's.
    pub fn alu(&mut self, f: Alu, host: u8, n: usize) {
        let near = gpr_at(n);
        match (f, self.place(n)) {
            (Alu::Add, Some(own)) => dynasm!(self.a ; add Rq(host), Rq(own)),
            (Alu::Sub, Some(own)) => dynasm!(self.a ; sub Rq(host), Rq(own)),
            (Alu::And, Some(own)) => dynasm!(self.a ; and Rq(host), Rq(own)),
            (Alu::Or, Some(own)) => dynasm!(self.a ; or Rq(host), Rq(own)),
            (Alu::Xor, Some(own)) => dynasm!(self.a ; xor Rq(host), Rq(own)),
            (Alu::Cmp, Some(own)) => dynasm!(self.a ; cmp Rq(host), Rq(own)),
            (Alu::Add, None) => dynasm!(self.a ; add Rq(host), [BYTE rbp + near]),
            (Alu::Sub, None) => dynasm!(self.a ; sub Rq(host), [BYTE rbp + near]),
            (Alu::And, None) => dynasm!(self.a ; and Rq(host), [BYTE rbp + near]),
            (Alu::Or, None) => dynasm!(self.a ; or Rq(host), [BYTE rbp + near]),
            (Alu::Xor, None) => dynasm!(self.a ; xor Rq(host), [BYTE rbp + near]),
            (Alu::Cmp, None) => dynasm!(self.a ; cmp Rq(host), [BYTE rbp + near]),
        }
    }

    /// GPR `n` ← GPR `n` f `host`. The flags are the host's.
    pub fn alu_in_place(&mut self, f: Alu, n: usize, host: u8) {
        let near = gpr_at(n);
        match (f, self.place(n)) {
            (Alu::Add, Some(own)) => dynasm!(self.a ; add Rq(own), Rq(host)),
            (Alu::Sub, Some(own)) => dynasm!(self.a ; sub Rq(own), Rq(host)),
            (Alu::And, Some(own)) => dynasm!(self.a ; and Rq(own), Rq(host)),
            (Alu::Or, Some(own)) => dynasm!(self.a ; or Rq(own), Rq(host)),
            (Alu::Xor, Some(own)) => dynasm!(self.a ; xor Rq(own), Rq(host)),
            (Alu::Cmp, Some(own)) => dynasm!(self.a ; cmp Rq(own), Rq(host)),
            (Alu::Add, None) => dynasm!(self.a ; add [BYTE rbp + near], Rq(host)),
            (Alu::Sub, None) => dynasm!(self.a ; sub [BYTE rbp + near], Rq(host)),
            (Alu::And, None) => dynasm!(self.a ; and [BYTE rbp + near], Rq(host)),
            (Alu::Or, None) => dynasm!(self.a ; or [BYTE rbp + near], Rq(host)),
            (Alu::Xor, None) => dynasm!(self.a ; xor [BYTE rbp + near], Rq(host)),
            (Alu::Cmp, None) => dynasm!(self.a ; cmp [BYTE rbp + near], Rq(host)),
        }
    }

    /// GPR `n` ← GPR `n` f `constant`. The flags are the host's.
    pub fn alu_constant(&mut self, f: Alu, n: usize, constant: i32) {
        let near = gpr_at(n);
        match (f, self.place(n)) {
            (Alu::Add, Some(own)) => dynasm!(self.a ; add Rq(own), constant),
            (Alu::Sub, Some(own)) => dynasm!(self.a ; sub Rq(own), constant),
            (Alu::And, Some(own)) => dynasm!(self.a ; and Rq(own), constant),
            (Alu::Or, Some(own)) => dynasm!(self.a ; or Rq(own), constant),
            (Alu::Xor, Some(own)) => dynasm!(self.a ; xor Rq(own), constant),
            (Alu::Cmp, Some(own)) => dynasm!(self.a ; cmp Rq(own), constant),
            (Alu::Add, None) => dynasm!(self.a ; add QWORD [BYTE rbp + near], constant),
            (Alu::Sub, None) => dynasm!(self.a ; sub QWORD [BYTE rbp + near], constant),
            (Alu::And, None) => dynasm!(self.a ; and QWORD [BYTE rbp + near], constant),
            (Alu::Or, None) => dynasm!(self.a ; or QWORD [BYTE rbp + near], constant),
            (Alu::Xor, None) => dynasm!(self.a ; xor QWORD [BYTE rbp + near], constant),
            (Alu::Cmp, None) => dynasm!(self.a ; cmp QWORD [BYTE rbp + near], constant),
        }
    }

    /// `host` ← `host` * GPR `n`.
    pub fn multiply(&mut self, host: u8, n: usize) {
        let near = gpr_at(n);
        match self.place(n) {
            Some(own) => dynasm!(self.a ; imul Rq(host), Rq(own)),
            None => dynasm!(self.a ; imul Rq(host), [BYTE rbp + near]),
        }
    }

    /// `host` ← the low word of GPR `n` rotated left, zero-extended. The flags stay.
    pub fn rotate_word(&mut self, host: u8, n: usize, left: u32) {
        let (near, right) = (gpr_at(n), (32 - left as i8) & 31);
        match self.place(n) {
            _ if right == 0 => self.get_word(n, host),
            Some(own) => dynasm!(self.a ; rorx Rd(host), Rd(own), right),
            None => dynasm!(self.a ; rorx Rd(host), [BYTE rbp + near], right),
        }
    }

    /// `host` ← GPR `n` rotated left. The flags stay.
    pub fn rotate(&mut self, host: u8, n: usize, left: u32) {
        let (near, right) = (gpr_at(n), (64 - left as i8) & 63);
        match self.place(n) {
            _ if right == 0 => self.move_to(host, n),
            Some(own) => dynasm!(self.a ; rorx Rq(host), Rq(own), right),
            None => dynasm!(self.a ; rorx Rq(host), [BYTE rbp + near], right),
        }
    }

    /// `host` ← GPR `n`, unless it is there.
    pub fn move_to(&mut self, host: u8, n: usize) {
        if self.place(n) != Some(host) {
            self.get(n, host);
        }
    }

    /// The flags ← GPR `n` compared with zero, as a doubleword.
    pub fn test(&mut self, n: usize) {
        let near = gpr_at(n);
        match self.place(n) {
            Some(own) => dynasm!(self.a ; test Rq(own), Rq(own)),
            None => dynasm!(self.a ; cmp QWORD [BYTE rbp + near], 0),
        }
    }
}
