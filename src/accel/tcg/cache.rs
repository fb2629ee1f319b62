//! Translated blocks: found by real page, mode and word, linked to each other, and dropped when their page is written.
//!
//! The rules of validity are those of the interpreter's decoded blocks: the key is the real page and the mode, and a page of blocks is valid while the page's generation
//! stays the same. But linked blocks follow each other without anybody looking, so changes of code are looked for where the architecture demands it: before the run loop enters translated
//! code, which it does after every context synchronising instruction and every interrupt, and at least once in a slice.

use crate::accel::interp::Core;
use crate::accel::interp::Trap;
use crate::accel::interp::block::Decoded;
use crate::accel::interp::block::Keep;
use crate::accel::interp::block::decode_at;
use crate::accel::interp::block::fetch_page;
use crate::accel::interp::block::mode;
use crate::accel::interp::tlb::PAGE_MASK;
use crate::accel::tcg::Counts;
use crate::accel::tcg::buffer::CodeBuffer;
use crate::accel::tcg::emit::x64;
use crate::accel::tcg::emit::x64::Link;
use crate::accel::tcg::emit::x64::Place;
use crate::accel::tcg::emit::x64::Stubs;
use crate::accel::tcg::emit::x64::branch;
use crate::accel::tcg::emit::x64::stubs::JUMP_BITS;
use crate::accel::tcg::emit::x64::stubs::Jump;
use crate::accel::tcg::emit::x64::stubs::jump_index;
use crate::accel::tcg::sites::SITE_BYTES;
use crate::accel::tcg::sites::Sites;
use crate::units::Ra;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

/// Longest block.
pub const BLOCK_MAX: usize = 64;
/// Room that one block may need: instructions are at most some 150 bytes, cold code included.
const ROOM: usize = 64 << 10;
/// Sites, in bytes, that one block may need.
const SITES_ROOM: usize = SITE_BYTES * BLOCK_MAX;
/// Pages with translated code at most, 4 KiB each for the words' blocks.
const PAGES_MAX: usize = 8192;
const FETCH_ENTRIES: usize = 1024;
const SLOTS: usize = 1024;
/// A link leads nowhere yet.
const NONE: u32 = u32::MAX;

struct Page {
    ra: Ra,
    generation: u32,
    /// For each word, 1 + the index in `blocks` of the block that starts there, or 0.
    starts: Box<[u16; SLOTS]>,
    blocks: Vec<u32>,
}

struct Block {
    code: u32,
    /// Links that lead here, or did.
    incoming: Vec<u32>,
}

/// A link with where it is in the code, and the block that it leads to.
struct Placed {
    link: Link,
    to: u32,
}

#[derive(Clone, Copy, Default)]
struct Fetch {
    tag: u64,
    page: u32,
}

/// The translated code of one vCPU.
pub struct Cache {
    buffer: CodeBuffer,
    stubs: Stubs,
    /// Address of the next free site.
    site: usize,
    /// What is remembered in the sites.
    sites: Sites,
    /// Bytes of the stubs, which stay.
    fixed: usize,
    pages: Vec<Page>,
    by_key: HashMap<(u64, u32), u32>,
    /// Pages of any mode by real address.
    by_ra: HashMap<u64, Vec<u32>>,
    blocks: Vec<Block>,
    links: Vec<Placed>,
    fetch: Box<[Fetch; FETCH_ENTRIES]>,
    jumps: Box<[Jump; 1 << JUMP_BITS]>,
    /// The TLB's count of renumberings when the tags here were made.
    epoch: u64,
    /// Changes of code that were followed.
    changes: u64,
    /// How often everything was forgotten.
    clears: u64,
    /// Whether the page found last may be found again by its tag.
    keep: Keep,
    /// Instructions of a block at most.
    longest: usize,
    #[cfg(test)]
    spoil: Option<Spoil>,
}

/// What a test does to a block.
#[cfg(test)]
type Spoil = Box<dyn Fn(&mut Vec<(u16, Decoded)>) + Send>;

impl Cache {
    /// An empty cache.
    pub fn new(mut buffer: CodeBuffer, longest: usize) -> Cache {
        let stubs = Stubs::new(&mut buffer);
        Cache {
            site: buffer.words().0,
            sites: Sites::new(buffer.words().1),
            fixed: buffer.used(),
            stubs,
            buffer,
            pages: Vec::new(),
            by_key: HashMap::new(),
            by_ra: HashMap::new(),
            blocks: Vec::new(),
            links: Vec::new(),
            fetch: Box::new([Fetch::default(); FETCH_ENTRIES]),
            jumps: Box::new([Jump::default(); 1 << JUMP_BITS]),
            epoch: 0,
            changes: 0,
            clears: 0,
            keep: Keep::No,
            longest: longest.clamp(1, BLOCK_MAX),
            #[cfg(test)]
            spoil: None,
        }
    }

    /// Address of the entry stub.
    pub fn enter(&self) -> usize {
        self.stubs.enter
    }

    /// How often the cache was full and everything forgotten.
    pub fn clears(&self) -> u64 {
        self.clears
    }

    /// Tells the vCPU whose code this is where the code keeps things.
    pub fn attach(&self, c: &mut Core) {
        c.words.jumps = self.jumps.as_ptr() as u64;
        self.sites.attach(c);
    }

    /// Forgets all translated code.
    pub fn clear(&mut self, c: &mut Core) {
        self.clears += 1;
        self.buffer.truncate(self.fixed);
        self.sites.forget_all(c, &mut self.buffer);
        self.site = self.buffer.words().0;
        self.pages.clear();
        self.by_key.clear();
        self.by_ra.clear();
        self.blocks.clear();
        self.links.clear();
        self.forget_addresses();
    }

    /// Forgets which addresses led where.
    fn forget_addresses(&mut self) {
        self.fetch.fill(Fetch::default());
        self.jumps.fill(Jump::default());
    }

    /// Follows what happened to code and contexts since the last look.
    pub fn follow(&mut self, c: &mut Core) {
        if self.epoch != c.tlb.epoch {
            self.epoch = c.tlb.epoch;
            self.forget_addresses();
            self.sites.forget_all(c, &mut self.buffer);
            for placed in self.links.iter().filter(|p| p.link.tag_at != 0) {
                self.buffer.patch(placed.link.tag_at, &0u64.to_le_bytes());
            }
        }
        self.sites.follow_context(c, &mut self.buffer);
        let now = c.tlb.memory.code_changes().load(Ordering::SeqCst);
        if now != self.changes {
            self.follow_changes(c, now);
        }
    }

    /// Follows page flags that were set; to be called each time before translated code is entered.
    #[inline]
    pub fn follow_flags(&mut self, c: &mut Core) {
        self.sites.follow_flags(c, &mut self.buffer);
    }

    #[cold]
    fn follow_changes(&mut self, c: &Core, now: u64) {
        let stale: Vec<u32> = match c.tlb.memory.code_changed_since(self.changes, now) {
            Some(pages) => pages.iter().filter_map(|p| self.by_ra.get(&(p << 12))).flatten().copied().collect(),
            None => (0..self.pages.len() as u32).collect(),
        };
        self.changes = now;
        for page in stale {
            let p = &self.pages[page as usize];
            if !p.blocks.is_empty() && p.generation != c.tlb.memory.generation(p.ra) {
                self.drop_page(page);
            }
        }
    }

    /// Drops a page's blocks: whatever is linked to them asks again.
    fn drop_page(&mut self, page: u32) {
        let p = &mut self.pages[page as usize];
        p.starts.fill(0);
        for block in std::mem::take(&mut p.blocks) {
            for number in std::mem::take(&mut self.blocks[block as usize].incoming) {
                let placed = &mut self.links[number as usize];
                if placed.to != block {
                    continue;
                }
                placed.to = NONE;
                let l = placed.link;
                if l.tag_at != 0 {
                    self.buffer.patch(l.tag_at, &0u64.to_le_bytes());
                }
                self.buffer.patch(l.at, &l.stub.wrapping_sub(l.at + 4).to_le_bytes());
            }
        }
        self.jumps.fill(Jump::default());
    }

    /// The block at NIP, translated if need be. `Err`: the fetch failed and the interrupt is prepared.
    pub fn find(&mut self, c: &mut Core, counts: &mut Counts) -> Result<u32, Trap> {
        let nip = c.nip;
        let tag = (nip & PAGE_MASK) | c.tlb.fetch;
        let f = self.fetch[(nip >> 12) as usize & (FETCH_ENTRIES - 1)];
        let page = if f.tag == tag {
            self.keep = Keep::Yes;
            f.page
        } else {
            self.enter_page(c, tag)?
        };
        let slot = (nip as usize & 0xfff) >> 2;
        let p = &self.pages[page as usize];
        match usize::from(p.starts[slot]) {
            0 => self.translate(c, page, slot, counts),
            block => Ok(p.blocks[block - 1]),
        }
    }

    /// The instructions of the block at NIP, which is translated by then. `Err`: the fetch failed and the interrupt is prepared.
    pub fn listing(&mut self, c: &mut Core, counts: &mut Counts) -> Result<Vec<(u16, Decoded)>, Trap> {
        self.follow(c);
        self.find(c, counts)?;
        let (ra, _) = fetch_page(c)?;
        Ok(collect(c, ra, (c.nip as usize & 0xfff) >> 2, self.longest))
    }

    /// Has `spoil` change the instructions of a block before it is translated, as if a template were wrong.
    #[cfg(test)]
    pub fn spoil(&mut self, spoil: impl Fn(&mut Vec<(u16, Decoded)>) + Send + 'static) {
        self.spoil = Some(Box::new(spoil));
    }

    /// Address of a block's code.
    pub fn code(&self, block: u32) -> usize {
        self.buffer.address(self.blocks[block as usize].code)
    }

    #[cold]
    fn enter_page(&mut self, c: &mut Core, tag: u64) -> Result<u32, Trap> {
        let (ra, keep) = fetch_page(c)?;
        if self.pages.len() >= PAGES_MAX {
            self.clear(c);
        }
        let mode = mode(c);
        let next = self.pages.len() as u32;
        let page = *self.by_key.entry((ra.0, mode)).or_insert(next);
        if page == next {
            self.by_ra.entry(ra.0).or_default().push(page);
            self.pages.push(Page { ra, generation: 0, starts: Box::new([0; SLOTS]), blocks: Vec::new() });
        }
        self.keep = keep;
        if keep == Keep::Yes {
            self.fetch[(c.nip >> 12) as usize & (FETCH_ENTRIES - 1)] = Fetch { tag, page };
        }
        Ok(page)
    }

    #[cold]
    fn translate(&mut self, c: &mut Core, page: u32, slot: usize, counts: &mut Counts) -> Result<u32, Trap> {
        let (words, size) = self.buffer.words();
        if self.buffer.left() < ROOM || words + size - self.site < SITES_ROOM {
            self.clear(c);
            return self.find(c, counts);
        }
        let p = &self.pages[page as usize];
        let ra = p.ra;
        let memory = &c.tlb.memory;
        if p.blocks.is_empty() || p.generation != memory.generation(ra) {
            if !p.blocks.is_empty() {
                self.drop_page(page);
            }
            memory.mark_code(ra);
            self.pages[page as usize].generation = memory.generation(ra);
        }
        let block = collect(c, ra, slot, self.longest);
        #[cfg(test)]
        let block = {
            let mut block = block;
            self.spoil.iter().for_each(|spoil| spoil(&mut block));
            block
        };
        let place = Place { base: self.buffer.next(), first_link: self.links.len(), site: self.site };
        let code = x64::emit(c, &self.stubs, place, &block);
        self.site = code.site;
        let at = self.buffer.append(&code.bytes);
        counts.blocks += 1;
        counts.translated += block.len() as u64;
        counts.without_template += u64::from(code.steps);
        counts.bytes += code.bytes.len() as u64;
        for mut link in code.links {
            link.at += at;
            link.stub += at;
            link.tag_at += if link.tag_at == 0 { 0 } else { at };
            self.links.push(Placed { link, to: NONE });
        }
        let number = self.blocks.len() as u32;
        self.blocks.push(Block { code: at, incoming: Vec::new() });
        let p = &mut self.pages[page as usize];
        p.blocks.push(number);
        // A word has one block at most.
        p.starts[slot] = p.blocks.len() as u16;
        Ok(number)
    }

    /// NIP ← the target of link `number`, whose block was just executed in the page at `c.words.page`.
    pub fn aim(&self, c: &mut Core, number: usize) {
        let link = self.links[number].link;
        c.nip = c.words.page.wrapping_add((i64::from(link.pages) << 12) as u64).wrapping_add(u64::from(link.slot) * 4);
    }

    /// Makes link `number`: NIP becomes its target, and the jump leads there from now on.
    pub fn follow_link(&mut self, c: &mut Core, number: usize, counts: &mut Counts) -> Result<u32, Trap> {
        self.aim(c, number);
        let link = self.links[number].link;
        let clears = self.clears;
        let block = self.find(c, counts)?;
        if clears == self.clears && (link.tag_at == 0 || self.keep == Keep::Yes) {
            let target = &mut self.blocks[block as usize];
            self.buffer.patch(link.at, &target.code.wrapping_sub(link.at + 4).to_le_bytes());
            if link.tag_at != 0 {
                self.buffer.patch(link.tag_at, &((c.nip & PAGE_MASK) | c.tlb.fetch).to_le_bytes());
            }
            // A link between pages leads to one block after another, as contexts change.
            self.links[number].to = block;
            if !target.incoming.contains(&(number as u32)) {
                target.incoming.push(number as u32);
            }
        }
        Ok(block)
    }

    /// Remembers that NIP is at `block`, for indirect branches.
    pub fn remember(&mut self, c: &Core, block: u32) {
        if self.keep == Keep::No {
            return;
        }
        let code = self.code(block) as u64;
        self.jumps[jump_index(c.nip)] = Jump { ea: c.nip, context: c.tlb.fetch, code };
    }
}

/// The instructions of the block at word `slot`.
fn collect(c: &Core, page: Ra, slot: usize, longest: usize) -> Vec<(u16, Decoded)> {
    let mut block = Vec::with_capacity(16);
    let mut k = slot;
    while k < SLOTS && block.len() < longest {
        if c.stops.cuts(k) && !block.is_empty() {
            break;
        }
        let mut d = decode_at(c, page, k);
        match d.row.map_or("", |r| r.name) {
            "bc" => d.ends = branch::ends(k as u16, d.op.insn),
            // They come back by themselves where they have an effect.
            "icbi" | "tlbiel" => d.ends = false,
            _ => {}
        }
        let (ends, len) = (d.ends, d.op.insn.len() as usize / 4);
        block.push((k as u16, d));
        k += len;
        if ends {
            break;
        }
    }
    block
}
