declare namespace App {
  interface Locals {
    /** When and as which of this process's renders the page is made. */
    render: { number: number; at: Date; began: number; tags: string[]; isKept: boolean };
  }
}
